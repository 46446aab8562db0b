"""The API's rooms of people: a customer's details, its members, its keys, and what was done in its name."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import people
from accounts.access import customer_or_404
from accounts.audit import record
from accounts.forms import Form
from accounts.keys import actor
from accounts.models import ApiKey, AuditEntry, Customer, Membership, validate_locale
from accounts.query import CustomerPageQuery, CustomerQuery, customer_of
from accounts.schema import REFUSALS
from accounts.versioned import require_match, with_etag


class DetailSerializer(serializers.ModelSerializer[Customer]):
    invoice_email = serializers.CharField(help_text="Where invoices go; empty: to the people for billing, or else the owners")

    class Meta:
        model = Customer
        fields = (
            "code", "name", "currency", "timezone", "locale", "address", "country", "tax_id", "invoice_email",
            "buyer_reference",
        )  # fmt: skip


class DetailForm(Form):
    name = serializers.CharField(max_length=200, required=False)
    address = serializers.CharField(max_length=1_000, required=False, allow_blank=True)
    tax_id = serializers.CharField(max_length=40, required=False, allow_blank=True)
    invoice_email = serializers.EmailField(required=False, allow_blank=True)
    buyer_reference = serializers.CharField(max_length=100, required=False, allow_blank=True)
    locale = serializers.CharField(max_length=16, required=False, validators=[validate_locale])


class MemberSerializer(serializers.ModelSerializer[Membership]):
    email = serializers.EmailField(source="user.email")

    class Meta:
        model = Membership
        fields = ("id", "email", "role")


class NewMember(Form):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Membership.Role.choices)


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    scopes = serializers.ListField(source="scope_list", child=serializers.CharField())

    class Meta:
        model = ApiKey
        fields = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")


class AuditSerializer(serializers.ModelSerializer[AuditEntry]):
    class Meta:
        model = AuditEntry
        fields = ("id", "at", "actor", "action", "target", "address", "request_id", "before", "after", "digest")


def shown(name: str, value: dict[str, Any], status: int = 200) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


DETAIL = {"code": "acme", "name": "Acme GmbH", "currency": "EUR", "timezone": "Europe/Berlin", "locale": "de-DE"}
DETAIL |= {"address": "Speicherweg 14\n20457 Hamburg", "country": "DE", "tax_id": "DE999999999"}
DETAIL |= {"invoice_email": "pay@acme.example", "buyer_reference": "04011000-1234512345-06"}
MEMBER = {"id": 7, "email": "vera@acme.example", "role": "viewer"}
KEY: dict[str, Any] = {"id": 3, "name": "Grafana", "prefix": "ch_Zk3tq1", "scopes": ["usage:read"]}
KEY |= {"created_at": "2026-11-01T08:00:00Z", "expires_at": None, "last_used_at": "2026-11-24T14:32:00Z", "revoked_at": None}
ENTRY = {"id": 812, "at": "2026-11-24T14:32:08Z", "actor": "person:12", "action": "key.issued", "target": "key:3"}
ENTRY |= {
    "address": "203.0.113.9",
    "request_id": "5f3a9c0d1e7b",
    "before": "",
    "after": '{"name": "Grafana"}',
    "digest": "9f86d0…",
}


class CustomerDetail(APIView):
    @extend_schema(
        summary="Show a customer's details",
        responses={200: DetailSerializer, **REFUSALS},
        examples=[shown("Acme", DETAIL)],
        tags=["customers"],
    )
    def get(self, request: Request, code: str) -> Response:
        return with_etag(DetailSerializer(customer_or_404(actor(request), code)).data)

    @extend_schema(
        summary="Change what invoices are addressed to",
        description="Owners and billing. Send `If-Match` with the `ETag` that you read. Final invoices keep what they say.",
        request=DetailForm,
        responses={200: DetailSerializer, **REFUSALS},
        examples=[shown("Acme", DETAIL), OpenApiExample("It moved", {"address": "Kai 3\n20457 Hamburg"}, request_only=True)],
        tags=["customers"],
    )
    @transaction.atomic
    def patch(self, request: Request, code: str) -> Response:
        given = DetailForm.of(request)
        customer = Customer.objects.select_for_update().get(pk=customer_or_404(actor(request), code).pk)
        before = DetailSerializer(customer).data
        require_match(request, before)
        for name, value in given.items():
            setattr(customer, name, value)
        customer.save(update_fields=list(given))
        after = DetailSerializer(customer).data
        record("customer.changed", f"customer:{customer.pk}", customer_pk=customer.pk, before=before, after=after)
        return with_etag(after)


class OfCustomer(generics.GenericAPIView[Any]):
    """Rows of the customer that the query names."""

    def customer(self) -> Customer:
        return customer_of(self.request, CustomerPageQuery.of(self.request).get("customer"))


class MemberList(OfCustomer, generics.ListAPIView[Membership]):
    queryset = Membership.objects.none()
    serializer_class = MemberSerializer
    ordering = ("pk",)

    def get_queryset(self) -> QuerySet[Membership]:
        return Membership.objects.filter(customer=self.customer()).select_related("user")

    @extend_schema(
        summary="List a customer's members",
        parameters=[CustomerPageQuery],
        responses={200: MemberSerializer(many=True), **REFUSALS},
        examples=[shown("A viewer", MEMBER)],
        tags=["customers"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add a member or change a role",
        description="Owners. Somebody new gets an account and sets a password by mail. A customer keeps at least one owner.",
        parameters=[CustomerQuery],
        request=NewMember,
        responses={200: MemberSerializer, **REFUSALS},
        examples=[
            shown("A viewer", MEMBER),
            OpenApiExample("A viewer", {"email": "vera@acme.example", "role": "viewer"}, request_only=True),
        ],
        tags=["customers"],
    )
    def post(self, request: Request) -> Response:
        given = NewMember.of(request)
        customer = customer_of(request, CustomerQuery.of(request).get("customer"))
        try:
            return Response(MemberSerializer(people.set_member(customer, given["email"], given["role"])).data)
        except people.PeopleError as error:
            raise ValidationError({"role": [str(error)]}) from error


class MemberDetail(APIView):
    @extend_schema(
        summary="Remove a member",
        parameters=[CustomerQuery],
        responses={204: None, **REFUSALS},
        tags=["customers"],
    )
    def delete(self, request: Request, pk: int) -> Response:
        customer = customer_of(request, CustomerQuery.of(request).get("customer"))
        try:
            if not people.remove_member(customer, pk):
                raise Http404("No such member.")
        except people.PeopleError as error:
            raise ValidationError({"role": [str(error)]}) from error
        return Response(status=204)


class KeyList(OfCustomer, generics.ListAPIView[ApiKey]):
    queryset = ApiKey.objects.none()
    serializer_class = KeySerializer
    ordering = ("pk",)

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(customer=self.customer())

    @extend_schema(
        summary="List a customer's keys",
        description="Owners, and keys with `keys:read`. Secrets are shown once, on the settings page that makes them.",
        parameters=[CustomerPageQuery],
        responses={200: KeySerializer(many=True), **REFUSALS},
        examples=[shown("A dashboard's", KEY)],
        tags=["customers"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class KeyDetail(APIView):
    @extend_schema(
        summary="Revoke a key",
        description="At once. A key may revoke itself.",
        parameters=[CustomerQuery],
        responses={204: None, **REFUSALS},
        tags=["customers"],
    )
    def delete(self, request: Request, pk: int) -> Response:
        customer = customer_of(request, CustomerQuery.of(request).get("customer"))
        people.revoke_key(get_object_or_404(ApiKey.objects.live().filter(customer=customer), pk=pk))
        return Response(status=204)


class AuditList(OfCustomer, generics.ListAPIView[AuditEntry]):
    queryset = AuditEntry.objects.none()
    serializer_class = AuditSerializer
    ordering = ("-id",)

    def get_queryset(self) -> QuerySet[AuditEntry]:
        return AuditEntry.objects.filter(customer_pk=self.customer().pk)

    @extend_schema(
        summary="List what was done in a customer's name",
        description="Owners, and keys with `audit:read`. Newest first. Each entry's digest covers the one before it.",
        parameters=[CustomerPageQuery],
        responses={200: AuditSerializer(many=True), **REFUSALS},
        examples=[shown("A key was made", ENTRY)],
        tags=["customers"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
