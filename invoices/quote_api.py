"""The API's calculator: what given usage would cost, under a plan, a draft or prices in the request. Nothing is stored."""

from collections.abc import Mapping
from typing import Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import visible_customers
from accounts.keys import actor
from accounts.schema import REFUSALS
from invoices.catalogue import draft_of, offered_versions
from invoices.gather import with_recorded
from invoices.metering import UnpricedError
from invoices.parts import NoPriceError
from invoices.plan_fields import PlanFileError
from invoices.quote import answer, asked_period, quote_json
from invoices.terms import VersionTerms

LARGEST_BODY = 2 * 1024 * 1024


class QuoteParser(JSONParser):
    """JSON of a bounded size and depth."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        request = (parser_context or {})["request"]
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
            raise ValidationError({"body": [f"Must be at most {LARGEST_BODY} bytes."]})
        try:
            return super().parse(stream, media_type, cast("dict[str, Any] | None", parser_context))
        except RecursionError as error:
            raise ValidationError({"body": ["Is nested too deeply."]}) from error


class QuoteLineSerializer(serializers.Serializer[Any]):
    meter = serializers.CharField(allow_null=True)
    kind = serializers.CharField(help_text="usage, flat_fee, minimum_true_up, proration_credit or correction")
    name = serializers.CharField()
    window = serializers.CharField(allow_null=True, help_text="Of a time-of-use price")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    unit = serializers.CharField(allow_null=True)
    quantity = serializers.CharField(help_text="Exactly, in `unit`: a decimal, or numerator/denominator")
    exact = serializers.CharField(help_text="The amount before its one rounding")
    amount = serializers.CharField()
    derivation = serializers.DictField(help_text="How the amount came about, as on an invoice")


class QuotePeriodSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="Exclusive")


class QuoteSerializer(serializers.Serializer[Any]):
    """All amounts are decimal strings in `currency`."""

    currency = serializers.CharField()
    timezone = serializers.CharField()
    period = QuotePeriodSerializer()
    lines = QuoteLineSerializer(many=True)
    subtotal = serializers.CharField(help_text="The sum of the lines")
    discount = serializers.CharField()
    discounts = serializers.ListField(child=serializers.DictField(), help_text="Name and amount of each, in order")
    tax = serializers.CharField()
    taxes = serializers.ListField(child=serializers.DictField(), help_text="Name, rate, base and amount of each")
    credit = serializers.CharField(help_text="What the credits paid")
    credits = serializers.ListField(child=serializers.DictField())
    total = serializers.CharField()
    ignored_records = serializers.IntegerField(help_text="Records of usage that lay outside the period")


ASKED = OpenApiExample(
    "Graduated tiers, a discount and a tax",
    {
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "period": {"start": "2026-10-01", "end": "2026-11-01"},
        "prices": [
            {
                "meter": "cpu",
                "unit": "core-hour",
                "model": "graduated",
                "tiers": [{"up_to": "100", "unit_price": "0.05"}, {"unit_price": "0.04"}],
            }
        ],
        "usage": {"cpu": "150"},
        "discounts": [{"name": "Ten percent", "rate": "0.10"}],
        "taxes": [{"name": "VAT", "rate": "0.19"}],
    },
    request_only=True,
)
ANSWERED = OpenApiExample(
    "What it comes to",
    {
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "period": {"start": "2026-09-30T22:00:00Z", "end": "2026-10-31T23:00:00Z"},
        "lines": [
            {
                "meter": "cpu",
                "kind": "usage",
                "name": "CPU",
                "window": None,
                "start": "2026-09-30T22:00:00Z",
                "end": "2026-10-31T23:00:00Z",
                "unit": "core-hour",
                "quantity": "150",
                "exact": "7",
                "amount": "7.00",
                "derivation": {"model": "graduated", "quantity": 540000000},
            }
        ],
        "subtotal": "7.00",
        "discount": "0.70",
        "discounts": [{"name": "Ten percent", "amount": "0.70"}],
        "tax": "1.20",
        "taxes": [{"name": "VAT", "rate": "0.19", "included": False, "base": "6.30", "amount": "1.20"}],
        "credit": "0.00",
        "credits": [],
        "total": "7.50",
        "ignored_records": 0,
    },
    response_only=True,
    status_codes=["200"],
)


class Quotes(APIView):
    parser_classes = (QuoteParser,)

    @extend_schema(
        summary="Quote what usage would cost",
        description=(
            "Rates usage under `prices` in the request, under a `plan` you are subscribed to, or under its draft (staff), by the"
            " invoice's own rater. Nothing is stored. docs/money.md describes every key and every rule."
        ),
        request={"application/json": OpenApiTypes.OBJECT},
        responses={200: QuoteSerializer, **REFUSALS},
        examples=[ASKED, ANSWERED],
        tags=["cost"],
    )
    def post(self, request: Request) -> Response:
        document = request.data
        if not isinstance(document, dict):
            raise ValidationError({"body": ["Must be a JSON object."]})
        try:
            return Response(quote_json(answer(document, versions_for(request, document))))
        except PlanFileError as error:
            raise ValidationError({error.where or "body": [error.problem]}) from error
        except NoPriceError as error:
            raise ValidationError({"period": [str(error)]}) from error
        except UnpricedError as error:
            raise ValidationError({"usage": [str(error)]}) from error


def versions_for(request: Request, document: Mapping[str, Any]) -> list[VersionTerms] | None:
    """Return the versions of the plan that is asked for, or None where the request brings its prices."""
    draft = document.get("draft") or False
    code = draft if isinstance(draft, str) else document.get("plan")
    if (code is None) == (document.get("prices") is None):
        raise PlanFileError("prices", "give either prices, a plan or a draft.")
    if code is None:
        return None
    if not isinstance(code, str):
        raise PlanFileError("plan", "must be the code of a plan.")
    person, period = actor(request), asked_period(document)
    if draft:
        if not getattr(request.user, "is_staff", False):
            raise PermissionDenied("Drafts are for the operator's staff.")
        return [with_recorded(draft_of(code), period)]
    everything = bool(getattr(request.user, "is_staff", False))
    offered = offered_versions(code, None if everything else visible_customers(person))
    return [with_recorded(version, period) for version in offered]


@extend_schema(exclude=True)
class BareQuotes(Quotes):
    """The same without the slash: a POST cannot be redirected."""
