"""The API's room of enrolment tokens: make one for a machine, see what became of each, and withdraw one that nobody has used."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import visible_customers
from accounts.keys import actor
from accounts.models import User
from accounts.query import PageQuery
from accounts.schema import REFUSALS
from usage.enrolment import EnrolmentRefused, create_token, withdraw_token
from usage.key_models import EnrolmentToken
from usage.models import Machine


class TokenSerializer(serializers.ModelSerializer[EnrolmentToken]):
    state = serializers.CharField(help_text="`open`, `used`, or `over`: too old, or withdrawn")

    class Meta:
        model = EnrolmentToken
        fields: tuple[str, ...] = ("id", "prefix", "state", "created_at", "expires_at", "used_at")


class NewTokenSerializer(TokenSerializer):
    """With the secret, this once."""

    token = serializers.CharField(help_text="For `corehour-agent enrol`. It is shown here and never again")

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")


TOKEN: dict[str, Any] = {"id": 4, "prefix": "che_Zk3tq1", "state": "open"}
TOKEN |= {"created_at": "2026-11-24T08:00:00Z", "expires_at": "2026-11-25T08:00:00Z", "used_at": None}
SHOWN = OpenApiExample("It waits for its machine", TOKEN, response_only=True, status_codes=["200"])
MADE = OpenApiExample("Shown once", TOKEN | {"token": "che_Zk3tq1…"}, response_only=True, status_codes=["201"])


class TokenList(generics.ListAPIView[EnrolmentToken]):
    queryset = EnrolmentToken.objects.none()
    serializer_class = TokenSerializer
    ordering = ("-pk",)

    @extend_schema(
        summary="List a machine's enrolment tokens",
        description="Newest first. Secrets are not kept.",
        parameters=[PageQuery],
        responses={200: TokenSerializer(many=True), **REFUSALS},
        examples=[SHOWN],
        tags=["machines"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[EnrolmentToken]:
        PageQuery.of(self.request)
        return EnrolmentToken.objects.filter(machine=_machine(self.request, self.kwargs["code"]))

    @extend_schema(
        summary="Make an enrolment token",
        description=(
            "Owners, and keys with `machines:write`. It registers one key of this machine, once, within a day:"
            " `corehour-agent enrol URL TOKEN` ends the machine's older keys."
        ),
        request=None,
        responses={201: NewTokenSerializer, **REFUSALS},
        examples=[MADE],
        tags=["machines"],
    )
    def post(self, request: Request, code: str) -> Response:
        machine = _machine(request, code)
        if machine.retired_at is not None:
            raise ValidationError({"code": [f"{machine.code} was retired."]})
        asker = actor(request)
        token, secret = create_token(machine, asker if isinstance(asker, User) else None)
        response = Response({**TokenSerializer(token).data, "token": secret}, status=201)
        response["Cache-Control"] = "no-store"
        return response


class TokenDetail(APIView):
    @extend_schema(
        summary="Withdraw an enrolment token",
        description="One that was used is history and stays: end the machine's keys instead.",
        responses={204: None, **REFUSALS},
        tags=["machines"],
    )
    def delete(self, request: Request, code: str, pk: int) -> Response:
        token = get_object_or_404(EnrolmentToken, machine=_machine(request, code), pk=pk)
        try:
            withdraw_token(token)
        except EnrolmentRefused as refused:
            raise ValidationError({"id": [str(refused)]}) from refused
        return Response(status=204)


def _machine(request: Request, code: str) -> Machine:
    visible = Machine.objects.filter(customer__in=visible_customers(actor(request))).select_related("customer")
    return get_object_or_404(visible, code=code)
