"""What an API operation may be asked for in its query string. Anything else is refused, naming the parameter."""

from datetime import UTC, datetime
from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request

from accounts.access import customer_or_404, visible_customers
from accounts.keys import actor
from accounts.models import Customer

MAX_LIMIT = 500
FIRST_YEAR, LAST_YEAR = 2000, 2199


class Instant(serializers.DateTimeField):
    """An RFC 3339 instant. One without an offset is refused: it would name another instant in every zone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise serializers.ValidationError("Say the offset too, as in 2026-11-01T00:00:00Z (a + must be written %2B).")
        if not FIRST_YEAR < value.year < LAST_YEAR:
            raise serializers.ValidationError(f"Must lie in the years {FIRST_YEAR + 1} to {LAST_YEAR - 1}.")
        return super().enforce_timezone(value)


class Query(serializers.Serializer[Any]):
    """The parameters of one operation; each operation adds its own."""

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """Return the checked parameters. Raise ValidationError for a bad, unknown or repeated one."""
        given = request.query_params
        query = cls(data=given.dict())
        errors = {name: ["There is no such parameter."] for name in given if name not in query.fields}
        errors |= {name: ["Given more than once."] for name in given if len(given.getlist(name)) > 1}
        if errors:
            raise serializers.ValidationError(errors)
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)


class CustomerQuery(Query):
    customer = serializers.SlugField(required=False, max_length=63, help_text="Customer code; needed where you act for several")


class PageQuery(Query):
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT, help_text="Rows a page, 100 by default")
    cursor = serializers.CharField(required=False, help_text="From `next` or `previous` of another page")


class CustomerPageQuery(CustomerQuery, PageQuery):
    pass


def customer_of(request: Request, code: str | None = None) -> Customer:
    """Return the customer of that code, or the only one the asker may see.

    Raise Http404 where there is none, ValidationError where there are several: guessing would answer another question.
    """
    if code:
        return customer_or_404(actor(request), code)
    mine = list(visible_customers(actor(request)).order_by("code")[:20])
    if not mine:
        raise Http404("You act for no customer yet.")
    if len(mine) > 1:
        codes = ", ".join(customer.code for customer in mine)
        raise serializers.ValidationError({"customer": [f"You act for several customers. Name one of them: {codes}."]})
    return mine[0]
