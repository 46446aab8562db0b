"""Spot prices for programs of the operator: what a market asked, newest first, and a feed that records the next price.

Nobody else learns that there is such a door.
"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import CODE
from accounts.query import Instant, PageQuery
from invoices import spot
from invoices.api_forms import rfc3339
from invoices.money import decimal_text
from invoices.plan_fields import PlanFileError, decimal
from invoices.spot import SpotPrice
from invoices.staff_doors import StaffMay

PLACES = 9


class Markets(PageQuery):
    market = serializers.CharField(required=False, validators=[CODE])


class NewPrice(serializers.Serializer[Any]):
    market = serializers.CharField(validators=[CODE])
    at = Instant()
    price = serializers.CharField(max_length=40)

    def validate_price(self, text: str) -> int:
        try:
            return int(decimal(text, "", PLACES) * 10**PLACES)
        except PlanFileError as error:
            raise ValidationError(error.problem) from error


class SpotPrices(generics.GenericAPIView[SpotPrice]):
    """What was recorded, and a new one. The same one asked for again is answered with 200."""

    permission_classes = (StaffMay,)
    door_to = "spotprice"
    queryset = SpotPrice.objects.all()
    ordering = ("-at", "-pk")

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        market = Markets.of(request).get("market")
        found = self.paginate_queryset(SpotPrice.objects.filter(**{"market": market} if market else {}))
        return self.get_paginated_response([spot_json(one) for one in found or ()])

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        asked = NewPrice(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        known = SpotPrice.objects.filter(market=wanted["market"], at=wanted["at"]).exists()
        try:
            made = spot.record(wanted["market"], wanted["at"], wanted["price"])
        except spot.SpotError as error:
            raise ValidationError({"at": [str(error)]}) from error
        return Response(spot_json(made), status=200 if known else 201)


def spot_json(one: SpotPrice) -> dict[str, Any]:
    """A price as it is answered."""
    return {
        "market": one.market,
        "at": rfc3339(one.at),
        "price": decimal_text(one.price_nano, PLACES),
        "recorded_at": rfc3339(one.recorded_at),
    }
