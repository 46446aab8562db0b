"""Gathers what the rater reads: which plan version held when, and what each machine used in that span."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from types import MappingProxyType

from accounts.models import Customer
from invoices.catalogue import contracts
from invoices.fleet import MILLION, loads_in
from invoices.levels import Slot
from invoices.models import Invoice
from invoices.parts import Slice, slices
from invoices.rating import MachineUsage, Part
from invoices.spot import with_spot_prices
from invoices.terms import Aggregation, TierWindow, VersionTerms
from usage.meters import METERS
from usage.periods import BUCKET_MS, Period, day_start, from_ms, month_of, to_ms
from usage.totals import MachineTotals, Used, buckets, totals_between

NEAR_A_MONTH_EDGE = timedelta(days=2)


class CurrencyError(ValueError):
    """A plan in another currency than the customer's: never two on one invoice."""


def billing_period(customer: Customer, at: datetime) -> Period:
    """Return the customer's local month that holds an instant.

    Where the customer's zone was changed, it begins where the last final invoice ended: no hour is billed twice or never.
    """
    month = month_of(at, customer.zone)
    near = (month.start - NEAR_A_MONTH_EDGE, month.start + NEAR_A_MONTH_EDGE)
    ends = Invoice.objects.final().filter(customer=customer, period_end__range=near).order_by("-period_end")
    return continued(month, ends.values_list("period_end", flat=True).first())


def ends_near(month: Period, end: datetime) -> bool:
    """Whether a period that ends then is the one before a month, in this or another zone."""
    return month.start - NEAR_A_MONTH_EDGE <= end <= month.start + NEAR_A_MONTH_EDGE


def continued(month: Period, last_end: datetime | None) -> Period:
    """Return a month from where the last final invoice ended, if one did near its start."""
    return month if last_end is None else Period(last_end, month.end)


def gather(customer: Customer, period: Period, at: datetime | None = None) -> list[Part]:
    """Return a period's parts with usage up to an instant; None is to the end."""
    return parts_of(customer, customer_slices(customer, period), at)


def customer_slices(customer: Customer, period: Period) -> list[Slice]:
    """Return the spans of a period and the plan version in force in each. Raise CurrencyError or NoPriceError."""
    pieces = slices(contracts(customer, period), period)
    check_currency(pieces, customer.currency)
    return pieces


def check_currency(pieces: Sequence[Slice], currency: str) -> None:
    """Raise CurrencyError unless every plan is priced in the currency."""
    for piece in pieces:
        if piece.version.currency != currency:
            raise CurrencyError(
                f"Plan {piece.version.plan_code!r} is priced in {piece.version.currency}, but the invoice is in {currency}."
            )


def parts_of(customer: Customer, pieces: Sequence[Slice], at: datetime | None = None) -> list[Part]:
    """Return slices with the usage in each up to an instant; None is to the end."""
    metered = {piece.span: _cut(piece.span, at and quarter_after(at)) for piece in pieces}
    meters, timed, counted = meters_of(pieces), timed_meters(pieces), counted_meters(pieces)
    usage = {span: _usage(customer, span, meters, timed, counted, at) for span in set(metered.values())}
    return [
        Part(piece.span, with_recorded(piece.version, piece.span), usage[metered[piece.span]], _earlier(customer, piece))
        for piece in pieces
    ]


def meters_of(pieces: Sequence[Slice]) -> set[str]:
    """Return the meters that slices price and machines report."""
    return {price.meter for piece in pieces for price in piece.version.prices if price.meter in METERS}


def timed_meters(pieces: Sequence[Slice]) -> set[str]:
    """Return those of which it matters when they were used."""
    return {price.meter for piece in pieces for price in piece.version.prices if price.meter in METERS and price.needs_time}


def counted_meters(pieces: Sequence[Slice]) -> set[str]:
    """Return those of which a quarter hour counts as a value, also one without use."""
    peaks = (price for piece in pieces for price in piece.version.prices if price.aggregation is Aggregation.P95)
    return {price.meter for price in peaks if price.meter in METERS}


def with_recorded(version: VersionTerms, span: Period) -> VersionTerms:
    """Return a version with what was recorded for a span: the fleet's loads, and the prices of its markets."""
    return with_spot_prices(with_fleet_loads(version, span), span)


def with_fleet_loads(version: VersionTerms, span: Period) -> VersionTerms:
    """Return a version with the loads of the fleet that were recorded for a span, where a price follows them."""
    if not any(price.demand is not None and not price.demand.loads for price in version.prices):
        return version
    loads = tuple((to_ms(row.at), Fraction(row.share_micro, MILLION)) for row in loads_in(span))
    prices = tuple(
        replace(price, demand=replace(price.demand, loads=loads)) if price.demand and not price.demand.loads else price
        for price in version.prices
    )
    return replace(version, prices=prices)


def _earlier(customer: Customer, piece: Slice) -> dict[TierWindow, list[MachineUsage]]:
    """What was used in the tier windows of a slice's prices before it: of its year or its contract."""
    year = day_start(date(piece.span.start.astimezone(customer.zone).year, 1, 1), customer.zone)
    begins = {TierWindow.YEAR: max(year, piece.since), TierWindow.CONTRACT: piece.since}
    usage = {}
    for window in {price.tier_window for price in piece.version.prices} - {TierWindow.PERIOD}:
        meters = {price.meter for price in piece.version.prices if price.tier_window is window and price.meter in METERS}
        if begins[window] < piece.span.start:
            usage[window] = machine_usage(totals_between(customer, [begins[window], piece.span.start], meters)[0])
    return usage


def quarter_after(at: datetime) -> datetime:
    """Return the first quarter hour not before an instant: the bucket that is being filled counts as it stands."""
    return from_ms(-(-to_ms(at) // BUCKET_MS) * BUCKET_MS)


def _ms_after(at: datetime) -> int:
    """The first millisecond not before an instant, so that the last instant of a month is its end."""
    return to_ms(at + timedelta(microseconds=999))


def _cut(span: Period, until: datetime | None) -> Period:
    """The metered part of a span, empty where it has not begun."""
    return span if until is None else Period(span.start, max(span.start, min(span.end, until)))


def _usage(
    customer: Customer, span: Period, meters: set[str], timed: set[str], counted: set[str], at: datetime | None
) -> list[MachineUsage]:
    if not meters or not span.length_ms:
        return []
    totals = totals_between(customer, [span.start, span.end], meters, None if at is None else _ms_after(at))[0]
    return machine_usage(totals, buckets(customer, span.start, span.end, timed, counted) if timed else {})


def machine_usage(
    totals: Iterable[MachineTotals], used: Mapping[str, Mapping[str, Sequence[Used]]] = MappingProxyType({})
) -> list[MachineUsage]:
    """Return sums of machines as the rater reads them."""
    return [
        MachineUsage(
            code=machine.code,
            quantities=machine.quantities,
            name=machine.name,
            machine_class=machine.machine_class,
            covered_ms=machine.covered_ms,
            buckets=machine.buckets,
            due_ms=machine.due_ms,
            slots={
                meter: [Slot(start_ms, start_ms + BUCKET_MS, quantity) for start_ms, quantity in of_meter]
                for meter, of_meter in used.get(machine.code, {}).items()
            },
        )
        for machine in totals
    ]
