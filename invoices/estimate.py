"""The running cost: what the invoice would say if its period ended now, by the invoice's own rater.

A flat fee counts in full from the first instant of the period, as it will on the invoice. So the estimate at the
period's last instant, once the last usage is in, is the invoice's total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.timezone import now

from accounts.languages import spoken
from accounts.models import Customer
from invoices.ahead import less_billed, month_after, next_fees
from invoices.catalogue import contracts
from invoices.conditions import Conditions, conditions_of, one_off_lines
from invoices.corrections import charged_elsewhere, charged_later, corrections
from invoices.gather import billing_period, check_currency, machine_usage, parts_of, quarter_after
from invoices.levels import Exact, before
from invoices.line_names import line_name
from invoices.money import amount_text, from_minor, rounded_text
from invoices.parts import Slice, slices
from invoices.rating import Line, MachineUsage, Part, charges_of, rate
from invoices.totals import Totals, totals_of
from usage.periods import BUCKET_MS, Period, from_ms, to_ms
from usage.totals import totals_between

HOUR = timedelta(hours=1)
LONGEST_PERIOD = timedelta(days=33)  # A month and what a change of zone adds to it.


@dataclass(frozen=True, slots=True)
class Estimate:
    """Lines and totals of a period so far. Amounts in minor units are sums of rounded lines, as on the invoice."""

    customer_code: str
    currency: str
    timezone: str
    period: Period
    at: datetime
    lines: tuple[Line, ...]
    per_hour: Fraction | None
    """Cost of the last whole hour in major units, unrounded; None in a period's first hour."""
    conditions: Conditions = Conditions()
    pieces: tuple[Slice, ...] = ()
    """Which plan version was in force when, for those who go on rating with it."""

    @property
    def totals(self) -> Totals:
        """What stands below the lines: discounts, tax, wallet."""
        return totals_of(self.lines, self.conditions)

    @property
    def discounts(self) -> list[dict[str, Any]]:
        """As an invoice keeps them, for the pages that show both."""
        return self.totals.discounts_json()

    @property
    def taxes(self) -> list[dict[str, Any]]:
        """As an invoice keeps them."""
        return self.totals.taxes_json()

    @property
    def tax_included(self) -> bool:
        """Whether the lines hold the tax already."""
        return self.totals.tax_included

    @property
    def credit_minor(self) -> int:
        """What the wallet pays."""
        return self.totals.credit_minor

    @property
    def corrections(self) -> tuple[Line, ...]:
        """The lines that closed periods are still owed."""
        return tuple(line for line in self.lines if line.kind == "correction")

    @property
    def subtotal_minor(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        """The tax on the lines, in them or on top."""
        return self.totals.tax_minor

    @property
    def total_minor(self) -> int:
        """What the invoice would ask for."""
        return self.totals.total_minor

    @property
    def total(self) -> str:
        """The total as a decimal string with the currency's decimals."""
        return amount_text(self.total_minor, self.currency)

    @property
    def exact(self) -> Fraction:
        """The running cost in major units before any rounding: moves below a cent, for display beside the total."""
        unrounded = sum((line.exact for line in self.lines), Fraction(0)) - from_minor(self.subtotal_minor, self.currency)
        total = from_minor(self.total_minor, self.currency)
        return total + unrounded if not self.totals.credit_minor else total

    @property
    def exact_text(self) -> str:
        """The same with four decimals."""
        return rounded_text(self.exact, 4)


def estimate(customer: Customer, at: datetime | None = None, recent: Estimate | None = None) -> Estimate:
    """Return the cost of the period that holds `at` (default: now), with usage up to then.

    Closed months are not read again where a `recent` estimate of the same period has their corrections.
    Raise NoPriceError or CurrencyError where a subscription cannot be priced.
    """
    with spoken(customer.locale):  # Names of lines are printed as they are made.
        return _estimate(customer, at or now(), recent)


def _estimate(customer: Customer, moment: datetime, recent: Estimate | None) -> Estimate:
    period = billing_period(customer, moment)
    oldest = _oldest_open(period)
    known = recent if recent is not None and (recent.period, recent.currency) == (period, customer.currency) else None
    first = period.start if known else oldest - LONGEST_PERIOD  # For the closed ones, too.
    agreed = contracts(customer, Period(first, month_after(customer, period).end))
    pieces = slices(agreed, period)
    check_currency(pieces, customer.currency)
    parts = parts_of(customer, pieces, moment)
    late = known.corrections if known else corrections(customer, period, oldest, agreed)
    elsewhere = charged_elsewhere(customer, period)
    own = less_billed(customer, period, rate(parts, period, customer.zone), elsewhere)
    lines = (*own, *next_fees(customer, period, agreed), *one_off_lines(customer, period), *late)
    per_hour = _per_hour(customer, period, parts, moment)
    conditions = conditions_of(customer, period)
    return Estimate(
        customer.code, customer.currency, customer.timezone, period, moment, _named(lines), per_hour, conditions, tuple(pieces)
    )


def preview(customer: Customer, period: Period, *, whole_history: bool = False) -> Estimate:
    """Return what the invoice of a whole period would say with the usage known now.

    With `whole_history` every closed period is looked through for late usage, not only those that a machine can still add to.
    """
    with spoken(customer.locale):
        return _preview(customer, period, whole_history=whole_history)


def _preview(customer: Customer, period: Period, *, whole_history: bool) -> Estimate:
    late = corrections(customer, period, None if whole_history else _oldest_open(period))
    agreed = contracts(customer, Period(period.start, month_after(customer, period).end))
    pieces = slices(agreed, period)
    check_currency(pieces, customer.currency)
    elsewhere = charged_elsewhere(customer, period)
    own = less_billed(customer, period, rate(parts_of(customer, pieces), period, customer.zone), elsewhere)
    items = one_off_lines(customer, period)
    lines = (*own, *next_fees(customer, period, agreed), *items, *charged_later(customer, period, elsewhere), *late)
    conditions = conditions_of(customer, period)
    return Estimate(customer.code, customer.currency, customer.timezone, period, now(), _named(lines), None, conditions)


def _named(lines: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(line if (name := line_name(line)) == line.name else replace(line, name=name) for line in lines)


def _oldest_open(period: Period) -> datetime:
    """Usage from before this instant is refused at the door during the period, unless an operator admits it."""
    return period.start - timedelta(days=settings.USAGE_MAX_AGE_DAYS)


def _per_hour(customer: Customer, period: Period, parts: Sequence[Part], at: datetime) -> Fraction | None:
    """What the last four whole quarter hours cost, at the tiers reached by now."""
    end = from_ms(to_ms(at) // BUCKET_MS * BUCKET_MS)
    start = end - HOUR
    running = [part for part in parts if part.span.start <= start and end <= part.span.end]
    if start < period.start or not running:
        return None
    hour, since = (machine_usage(span) for span in totals_between(customer, [start, end, quarter_after(at)]))
    cost = Fraction(0)
    for part in running:
        at_end = replace(part, usage=_less(part.usage, since, end))
        at_start = replace(part, usage=_less(at_end.usage, hour, start))
        cost += _exact(at_end, period, customer.zone) - _exact(at_start, period, customer.zone)
    return cost


def _exact(part: Part, period: Period, zone: ZoneInfo) -> Fraction:
    return sum((charge.exact for charge in charges_of(part, period, zone)), Fraction(0))


def _less(usage: Sequence[MachineUsage], later: Sequence[MachineUsage], until: datetime) -> list[MachineUsage]:
    """Usage without what was used later than an instant."""
    taken = {machine.code: machine.quantities for machine in later}
    return [
        replace(
            machine,
            quantities=_minus(machine.quantities, taken.get(machine.code, {})),
            slots={meter: before(slots, until) for meter, slots in machine.slots.items()},
        )
        for machine in usage
    ]


def _minus(quantities: Mapping[str, Exact], taken: Mapping[str, Exact]) -> dict[str, Exact]:
    return {meter: quantity - taken.get(meter, 0) for meter, quantity in quantities.items()}
