"""Spot prices as they come: a market's price from an instant until the next, beyond any version of a plan that names it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from django.db import models, transaction
from django.db.models import Max, Q
from django.utils.timezone import now

from accounts.audit import record as record_deed
from accounts.models import CODE, Customer
from invoices.issued import Invoice
from invoices.money import NANO, decimal_text
from invoices.terms import PriceTerms, VersionTerms
from usage.periods import Period, to_ms


class SpotError(ValueError):
    """Why a price cannot be recorded, as a sentence for the operator."""


class SpotPrice(models.Model):
    """What a unit costs on a market from an instant until the next one. Added, never edited."""

    market = models.CharField(max_length=63, validators=[CODE])
    at = models.DateTimeField(help_text="UTC")
    price_nano = models.BigIntegerField(help_text="1e-9 of the plan's currency for one of the price's unit")
    recorded_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["market", "-at"]
        constraints = [
            models.UniqueConstraint(fields=["market", "at"], name="spot_price_once"),
            models.CheckConstraint(condition=Q(price_nano__gte=0), name="spot_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.market} {decimal_text(self.price_nano, 9)} from {self.at:%Y-%m-%d %H:%M:%S} UTC"


@transaction.atomic
def record(market: str, at: datetime, price_nano: int) -> SpotPrice:
    """Record what a market asks from an instant on. The same price again changes nothing.

    Raise SpotError where it would change what is known already: prices come in order, and never into billed time.
    """
    known = SpotPrice.objects.filter(market=market, at=at).first()
    if known is not None and known.price_nano == price_nano:
        return known
    check(market, at)
    made = SpotPrice(market=market, at=at, price_nano=price_nano)
    made.full_clean()
    made.save()
    record_deed("spot-price.recorded", f"spot-price:{made.pk}", after={"price": str(made)})
    return made


def check(market: str, at: datetime) -> None:
    """Raise SpotError where a market's next price cannot begin at an instant. Called in the transaction that records it."""
    if at.microsecond % 1000:
        raise SpotError("A price begins on a millisecond.")
    newest = SpotPrice.objects.filter(market=market).first()
    if newest is not None and at <= newest.at:
        raise SpotError(f"{newest}: the next price of {market} must begin later.")
    billed = _billed_until(market)
    if billed is not None and at < billed:
        raise SpotError(f"Usage priced by {market} is billed up to {billed:%Y-%m-%d %H:%M} UTC; a price must begin from then on.")


def _billed_until(market: str) -> datetime | None:
    """Return the end of the last month billed by a market. Waits for whoever is finalising one, and holds off the next."""
    served = Customer.objects.filter(subscriptions__plan__versions__prices__details__market=market)
    held = Customer.objects.select_for_update().filter(pk__in=served.values("pk")).order_by("pk")
    ends = Invoice.objects.final().filter(customer__in=list(held)).aggregate(last=Max("period_end"))
    until: datetime | None = ends["last"]
    return until


def with_spot_prices(version: VersionTerms, span: Period) -> VersionTerms:
    """Return a version with what its markets asked in a span: the last price before it, and those inside."""
    if not any(price.market for price in version.prices):
        return version
    prices = tuple(_priced(price, span) if price.market and not price.series else price for price in version.prices)
    return replace(version, prices=prices)


def _priced(price: PriceTerms, span: Period) -> PriceTerms:
    found = SpotPrice.objects.filter(market=price.market).order_by("-at")
    inside = found.filter(at__gt=span.start, at__lt=span.end)
    return replace(price, series=_series([*inside, *found.filter(at__lte=span.start)[:1]]))


def _series(newest_first: Iterable[SpotPrice]) -> tuple[tuple[int, Fraction], ...]:
    return tuple((to_ms(row.at), Fraction(row.price_nano, NANO)) for row in newest_first)[::-1]
