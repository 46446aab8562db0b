"""The API's answer to "is anything missing?": what of each stream arrived, and how much of a machine's time was metered."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import visible_customers
from accounts.keys import actor
from accounts.query import Query
from accounts.schema import REFUSALS
from usage.api_forms import EpochField, QuarterHour
from usage.completeness import Completeness, StreamState, completeness
from usage.fleet import State
from usage.models import Machine
from usage.periods import Period, month_of, to_ms

MOST_SPANS = 1_000
MOST_DAYS = 400


class CompletenessQuery(Query):
    at__gte = QuarterHour(required=False, help_text="Start of the period, inclusive. RFC 3339")
    at__lt = QuarterHour(required=False, help_text="End of the period, exclusive. RFC 3339")


class SpanSerializer(serializers.Serializer[tuple[int, int]]):
    """Sequence numbers from `first` to before `end`."""

    first = serializers.SerializerMethodField()
    end = serializers.SerializerMethodField()

    def get_first(self, span: tuple[int, int]) -> int:
        return span[0]

    def get_end(self, span: tuple[int, int]) -> int:
        return span[1]


class StreamSerializer(serializers.Serializer[StreamState]):
    stream = serializers.UUIDField()
    received = serializers.IntegerField(help_text="Samples stored")
    highest = serializers.IntegerField(help_text="The highest sequence number seen")
    watermark = serializers.IntegerField(help_text="Everything below is stored, or held by refused messages")
    missing_samples = serializers.IntegerField(help_text="Sequence numbers below the highest that never came")
    missing = serializers.SerializerMethodField(help_text=f"Where they are, the first {MOST_SPANS} spans")
    refused_samples = serializers.IntegerField(help_text="Sequence numbers in refused messages that an operator looks at")
    refused = serializers.SerializerMethodField(help_text=f"Where they are, the first {MOST_SPANS} spans")
    metered_since = EpochField(source="since_ms", allow_null=True, help_text="Quarter hour of the earliest sample")
    metered_until = EpochField(source="until_ms", allow_null=True, help_text="End of the quarter hour of the newest sample")
    late_samples = serializers.IntegerField(help_text="Samples that came more than an hour after their end")

    @extend_schema_field(SpanSerializer(many=True))
    def get_missing(self, stream: StreamState) -> list[dict[str, int]]:
        return [{"first": lo, "end": hi} for lo, hi in stream.missing[:MOST_SPANS]]

    @extend_schema_field(SpanSerializer(many=True))
    def get_refused(self, stream: StreamState) -> list[dict[str, int]]:
        return [{"first": lo, "end": hi} for lo, hi in stream.refused[:MOST_SPANS]]


class CompletenessSerializer(serializers.Serializer[Completeness]):
    machine = serializers.CharField(source="machine.code")
    state = serializers.ChoiceField(source="row.state", choices=[str(state) for state in State])
    last_seen_at = EpochField(source="machine.last_seen_ms", allow_null=True, help_text="End of the newest sample")
    clock_skew_ms = serializers.IntegerField(
        source="machine.clock_skew_ms",
        allow_null=True,
        help_text="The machine's clock minus the server's, when it last sent; a message's time under way counts as behind",
    )
    start = serializers.SerializerMethodField(help_text="Start of the period")
    end = serializers.SerializerMethodField(help_text="End of the period")
    coverage = serializers.SerializerMethodField(
        help_text="Decimal string from 0 to 1: the share metered of the time in which the machine was there; null without usage"
    )
    late_samples = serializers.IntegerField()
    streams = StreamSerializer(many=True)

    @extend_schema_field(serializers.DateTimeField())
    def get_start(self, found: Completeness) -> str:
        return _text(self.context["period"].start_ms)

    @extend_schema_field(serializers.DateTimeField())
    def get_end(self, found: Completeness) -> str:
        return _text(self.context["period"].end_ms)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_coverage(self, found: Completeness) -> str | None:
        """Rounded down: whoever sees 1 may rely on it."""
        if found.coverage is None:
            return None
        millionths = found.coverage.numerator * 1_000_000 // found.coverage.denominator
        return f"{millionths // 1_000_000}.{millionths % 1_000_000:06}"


def _text(ms: int) -> str:
    return str(EpochField().to_representation(ms))


EXAMPLE = OpenApiExample(
    "One sample was lost on the way, six are refused",
    {
        "machine": "web-1",
        "state": "reporting",
        "last_seen_at": "2026-11-24T14:32:08Z",
        "clock_skew_ms": -212,
        "start": "2026-10-31T23:00:00Z",
        "end": "2026-11-30T23:00:00Z",
        "coverage": "0.998812",
        "late_samples": 40,
        "streams": [
            {
                "stream": "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f",
                "received": 17273,
                "highest": 17279,
                "watermark": 812,
                "missing_samples": 1,
                "missing": [{"first": 812, "end": 813}],
                "refused_samples": 6,
                "refused": [{"first": 400, "end": 406}],
                "metered_since": "2026-11-22T14:30:00Z",
                "metered_until": "2026-11-24T14:45:00Z",
                "late_samples": 40,
            }
        ],
    },
    response_only=True,
    status_codes=["200"],
)


class MachineCompleteness(APIView):
    @extend_schema(
        summary="Say what of a machine's usage arrived and what is missing",
        description=(
            "By stream, the sequence numbers that were received and the spans that never came; and how much of a period was"
            " metered, the customer's current month unless `at__gte` and `at__lt` say otherwise. Spans are half-open."
        ),
        parameters=[CompletenessQuery],
        responses={200: CompletenessSerializer, **REFUSALS},
        examples=[EXAMPLE],
        tags=["machines"],
    )
    def get(self, request: Request, code: str) -> Response:
        query = CompletenessQuery.of(request)
        visible = Machine.objects.filter(customer__in=visible_customers(actor(request))).select_related("customer")
        machine = get_object_or_404(visible, code=code)
        moment = now()
        period = _period(query, month_of(moment, machine.customer.zone))
        found = completeness(machine, period, to_ms(moment))
        return Response(CompletenessSerializer(found, context={"period": period}).data)


def _period(query: dict[str, Any], default: Period) -> Period:
    start, end = query.get("at__gte", default.start), query.get("at__lt", default.end)
    if start >= end:
        raise ValidationError({"at__lt": ["Must be later than at__gte."]})
    if (end - start).days > MOST_DAYS:
        raise ValidationError({"at__gte": [f"At most {MOST_DAYS} days can be asked for at once."]})
    return Period(start, end)
