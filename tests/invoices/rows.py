"""What tests about money are made of: plans in three lines, usage in units, months of a fixed year."""

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import Customer
from invoices import plan_file, publishing
from invoices.models import RatePlan, Subscription
from invoices.rating import Line, MachineUsage, Part, rate
from invoices.terms import VersionTerms, per_unit
from usage.models import Machine, UsageBucket
from usage.periods import BUCKET_MS, Period, month, to_ms

BERLIN = ZoneInfo("Europe/Berlin")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
OCTOBER = month(2026, 10, BERLIN)
NOVEMBER = month(2026, 11, BERLIN)
DECEMBER = month(2026, 12, BERLIN)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]  # Year, month, day and so on.


def version(*prices: dict[str, Any], currency: str = "EUR", number: int = 1, since: datetime = LONG_AGO) -> VersionTerms:
    """Terms as a plan file would give them."""
    return VersionTerms("plan", "Plan", number, currency, since, plan_file.check_prices(prices))


def rated(
    *prices: dict[str, Any],
    currency: str = "EUR",
    period: Period = OCTOBER,
    span: Period | None = None,
    zone: ZoneInfo = BERLIN,
    **units: str,
) -> list[Line]:
    """Rate usage of one machine, given in the unit of the meter's price: `cpu="101.5"`."""
    terms = version(*prices, currency=currency)
    part = Part(span or period, terms, [machine(terms, period, **units)])
    return rate([part], period, zone)


def machine(terms: VersionTerms, period: Period, code: str = "web-1", machine_class: str = "", **units: str) -> MachineUsage:
    sizes = {price.meter: per_unit(price.meter, price.unit, period) for price in terms.prices if price.meter}
    quantities = {meter: int(Fraction(text) * sizes[meter]) for meter, text in units.items()}
    return MachineUsage(code, quantities, code, machine_class, period.length_ms, period.length_ms // BUCKET_MS, period.length_ms)


def amounts(lines: Sequence[Line]) -> list[int]:
    return [line.amount_minor for line in lines]


def published(*prices: dict[str, Any], code: str = "plan", currency: str = "EUR", since: datetime = LONG_AGO) -> RatePlan:
    """A plan with its next version in force from an instant on."""
    document = plan_file.PlanDocument(code, code.title(), currency, since, plan_file.check_prices(prices))
    draft, _ = publishing.save_draft(document)
    publishing.publish(draft, since)
    return draft.plan


def subscribed(customer: Customer, plan: RatePlan, start: datetime = LONG_AGO, end: datetime | None = None) -> Subscription:
    return publishing.subscribe(customer, plan, start, end)


def used(machine: Machine, at: datetime, **columns: int) -> None:
    """Usage in the quarter hour that begins at an instant, added to what is there."""
    bucket, _ = UsageBucket.objects.get_or_create(machine=machine, start_ms=to_ms(at))
    for column, amount in {"covered_ms": BUCKET_MS, "samples": 1, **columns}.items():
        setattr(bucket, column, getattr(bucket, column) + amount if column != "covered_ms" else amount)
    bucket.save()


CPU = {"name": "CPU", "model": "per_unit", "meter": "cpu", "unit_price": "0.04"}
FEE = {"name": "Base fee", "model": "flat", "unit_price": "9.00"}
HOUR_MS = 3_600_000
