"""The desk for programs of operators: refused messages are listed, mended, replayed, discarded. For anybody else there is none.

It is no part of the customers' API and of its description; docs/operating.md shows it.
"""

import base64
import binascii
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import may_see_fleet
from accounts.keys import actor
from accounts.models import ApiKey, User
from accounts.query import PageQuery
from usage.desk import (
    bulk_step,
    discard_rejected,
    draft_fix,
    fix_rejected,
    replay_rejected,
    without_age,
)
from usage.desk_counts import reason_counts
from usage.models import Reason, RejectedMessage
from usage.payload import editable
from usage.periods import to_ms
from usage.wire_errors import Refused


class MayMend(BasePermission):
    """Staff who may see refused messages, and to change one who may change them. Nobody else learns that they exist."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        who = actor(request)
        if isinstance(who, ApiKey) or not may_see_fleet(who):
            raise Http404
        right = "view" if request.method in ("GET", "HEAD", "OPTIONS") else "change"
        if not who.has_perm(f"usage.{right}_rejectedmessage"):
            raise Http404
        return True


class StillRefused(APIException):
    status_code = 409


class RejectedQuery(PageQuery):
    reason = serializers.ChoiceField(required=False, choices=Reason.choices)
    state = serializers.ChoiceField(required=False, choices=RejectedMessage.State.choices)
    machine = serializers.SlugField(required=False, max_length=63)


class RejectedSerializer(serializers.ModelSerializer[RejectedMessage]):
    """As it came, and as it was mended. Bytes are base64, and text besides where they are UTF-8."""

    key = serializers.SerializerMethodField()
    value = serializers.SerializerMethodField("base64_value")
    text = serializers.SerializerMethodField()
    fixed_value = serializers.SerializerMethodField()

    class Meta:
        model = RejectedMessage
        fields = (
            "id", "topic", "topic_id", "partition", "offset", "timestamp_ms", "machine_code", "reason", "detail", "stream",
            "seq_lo", "seq_hi", "rejected_at", "state", "resolution", "resolved_at", "replayed_samples", "replayed_duplicates",
            "replays", "last_refusal", "fix_reason", "fixed_at", "headers", "key", "value", "text", "fixed_value",
        )  # fmt: skip

    def get_key(self, row: RejectedMessage) -> str:
        return base64.b64encode(bytes(row.key)).decode()

    def base64_value(self, row: RejectedMessage) -> str:
        return base64.b64encode(bytes(row.value)).decode()

    def get_text(self, row: RejectedMessage) -> str | None:
        return editable(bytes(row.value))

    def get_fixed_value(self, row: RejectedMessage) -> str | None:
        return None if row.fixed_value is None else base64.b64encode(bytes(row.fixed_value)).decode()


class FixForm(serializers.Serializer[Any]):
    value = serializers.CharField(required=False, help_text="Base64; without it the value stays")
    machine = serializers.SlugField(required=False, max_length=63, default="")
    reason = serializers.CharField(max_length=500)


class ReplayForm(serializers.Serializer[Any]):
    admit_overlap = serializers.BooleanField(default=False)


class DiscardForm(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500)


class ManyForm(RejectedQuery):
    """Which open messages, and where to go on: `after` of the last answer, and `until` of the first."""

    after = serializers.IntegerField(min_value=0, default=0)
    until = serializers.IntegerField(min_value=0, required=False)
    because = serializers.CharField(max_length=500, required=False, help_text="Why they are discarded")


class _Desk(APIView):
    permission_classes = (IsAuthenticated, MayMend)

    def person(self) -> User:
        return self.request.user  # type: ignore[return-value] # MayMend lets persons pass only


@extend_schema(exclude=True)
class RejectedList(generics.ListAPIView[RejectedMessage]):
    permission_classes = (IsAuthenticated, MayMend)
    serializer_class = RejectedSerializer
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet[RejectedMessage]:
        return _chosen(RejectedQuery.of(self.request))


@extend_schema(exclude=True)
class RejectedCounts(_Desk):
    def get(self, request: Request) -> Response:
        names = ("reason", "label", "open", "replayed", "discarded", "oldest_open", "newest")
        return Response({"results": [{name: getattr(count, name) for name in names} for count in reason_counts()]})


@extend_schema(exclude=True)
class RejectedDetail(_Desk):
    def get(self, request: Request, pk: int) -> Response:
        return Response(RejectedSerializer(get_object_or_404(RejectedMessage, pk=pk)).data)


@extend_schema(exclude=True)
class RejectedFix(_Desk):
    def post(self, request: Request, pk: int) -> Response:
        form = _checked(FixForm, request)
        row = get_object_or_404(RejectedMessage, pk=pk)
        try:
            raw = draft_fix(row, _bytes(form.get("value")), form["machine"])
            return Response(RejectedSerializer(fix_rejected(row.pk, self.person(), raw, form["reason"])).data)
        except Refused as refused:
            raise StillRefused(f"{refused.reason}: {refused.detail}") from refused


@extend_schema(exclude=True)
class RejectedReplay(_Desk):
    """Replaying twice is harmless: the second time answers 409."""

    def post(self, request: Request, pk: int) -> Response:
        admit = _checked(ReplayForm, request)["admit_overlap"]
        row = get_object_or_404(RejectedMessage, pk=pk)
        try:
            row = replay_rejected(row.pk, self.person(), without_age(to_ms(now())), admit_overlap=admit)
        except Refused as refused:
            raise StillRefused(f"{refused.reason}: {refused.detail}") from refused
        return Response(RejectedSerializer(row).data)


@extend_schema(exclude=True)
class RejectedDiscard(_Desk):
    def post(self, request: Request, pk: int) -> Response:
        reason = _checked(DiscardForm, request)["reason"]
        row = get_object_or_404(RejectedMessage, pk=pk)
        try:
            return Response(RejectedSerializer(discard_rejected(row.pk, self.person(), reason)).data)
        except Refused as refused:
            raise StillRefused(f"{refused.reason}: {refused.detail}") from refused


@extend_schema(exclude=True)
class RejectedMany(_Desk):
    """One step over many: some two seconds of work. Call it again with `after` and `until` until it is finished."""

    def post(self, request: Request, act: str) -> Response:
        if act not in ("replay", "discard"):
            raise Http404
        form = _checked(ManyForm, request)
        if act == "discard" and not form.get("because"):
            raise ValidationError({"because": ["Say why they are discarded."]})
        newest = RejectedMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        until = form.get("until", newest)
        way = "replay" if act == "replay" else "discard"
        step = bulk_step(_chosen(form), self.person(), way, form.get("because", ""), form["after"], until)  # type: ignore[arg-type]
        return Response({**step.json(), "until": until})


def _chosen(query: dict[str, Any]) -> QuerySet[RejectedMessage]:
    names = {"reason": "reason", "state": "state", "machine": "machine_code"}
    return RejectedMessage.objects.filter(**{field: query[name] for name, field in names.items() if name in query})


def _checked(form: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    given = form(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _bytes(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError({"value": ["Must be base64."]}) from error
