"""Quantities and prices in, lines out: the one rater behind the invoice, the live cost, quotes and every preview. Pure.

A period is cut into parts in which one plan version holds; each price of each part makes a line, or one for each of its
windows, rounded once. Where a price asks for a minimum, what is missing is a line of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from invoices import charges, explain
from invoices.charges import Step
from invoices.metering import Measured, measured
from invoices.money import from_minor, rounded_text, to_minor
from invoices.takers import MachineUsage, Part, Taken, in_units, taken, taken_before
from invoices.terms import ZERO, Model, PriceTerms, Proration
from usage.periods import Period

UP_TO_MINIMUM = ", up to the minimum"  # Ends the name of a true-up; invoices/wording.py says it in other languages.

__all__ = ["Charge", "Line", "MachineUsage", "Part", "charges_of", "line_of", "rate"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What one price comes to in one part, or in one window of it, exactly."""

    price: PriceTerms
    part: Part
    span: Period
    measured: Measured
    steps: tuple[Step, ...]
    kind: str = "usage"

    @property
    def exact(self) -> Fraction:
        """Major units, before the one rounding."""
        return charges.total(self.steps)

    @property
    def machines(self) -> tuple[Taken, ...]:
        """What the price takes of each machine, in its window."""
        return self.measured.machines

    @property
    def units(self) -> Fraction:
        """The quantity in the price's unit, or the level in the level's."""
        return self.measured.units

    @property
    def used_before(self) -> Fraction | None:
        """What was used earlier in the tier window, in the price's unit; None where tiers begin anew with the part."""
        before = taken_before(self.price, self.part)
        return None if before is None else in_units(sum(before.values()), self.measured.unit_size)

    @property
    def key(self) -> str:
        """Which price over which span: what a later correction is matched by."""
        version, window = self.part.version, self.measured.window
        place = f"{self.price.position}" if window is None else f"{self.price.position}.{window}"
        return f"{version.plan_code}/{version.number}/{place}@{self.part.span.start_ms}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it will be printed. `quantity` in base units, `exact` in major units, `amount_minor` rounded once."""

    kind: str
    name: str
    charge_key: str
    plan_code: str
    plan_name: str
    plan_version: int
    span: Period
    meter: str
    unit: str
    base_unit: str
    quantity: int
    quantity_text: str
    exact: Fraction
    amount_minor: int
    derivation: Mapping[str, Any]
    window: str = ""
    units: Fraction = ZERO


def rate(parts: Sequence[Part], whole: Period, zone: ZoneInfo) -> list[Line]:
    """Return the lines of a period. Each is rounded once, half away from zero; totals add what the lines say."""
    return [line for part in parts for line in _lines_of(part, whole, zone)]


def charges_of(part: Part, whole: Period, zone: ZoneInfo) -> Iterator[Charge]:
    """Yield what each price of a part comes to, in the plan's order. No usage, no charge."""
    for price in part.version.prices:
        span = price.active_in(part.span)
        if span is None:
            continue
        if price.model is Model.FLAT:
            yield from _fees(price, part, span, whole, zone)
        else:
            yield from _usage(price, part, span, whole, zone)


def line_of(charge: Charge, zone: ZoneInfo) -> Line:
    """Round a charge and say how it came about."""
    price, version = charge.price, charge.part.version
    amount_minor = to_minor(charge.exact, version.currency)
    flat = price.model is Model.FLAT
    return Line(
        kind=charge.kind,
        name=_name(charge),
        charge_key=charge.key,
        plan_code=version.plan_code,
        plan_name=version.plan_name,
        plan_version=version.number,
        span=charge.span,
        meter=price.meter,
        unit="month" if flat else price.shown_unit,
        base_unit=price.base_unit,
        quantity=charge.measured.whole,
        quantity_text=_fee_share(charge) if flat else rounded_text(charge.units, 3),
        exact=charge.exact,
        amount_minor=amount_minor,
        derivation=explain.derivation(charge, amount_minor, zone),
        window=charge.measured.window_name,
        units=charge.steps[0].quantity if flat else charge.units,
    )


def _lines_of(part: Part, whole: Period, zone: ZoneInfo) -> Iterator[Line]:
    """The lines of a part: each price's, what is missing to its minimum, and to that of the plan."""
    so_far = 0
    rated = {
        position: [line_of(charge, zone) for charge in of_price]
        for position, of_price in groupby(charges_of(part, whole, zone), key=lambda charge: charge.price.position)
    }
    for price in part.version.prices:
        lines = rated.get(price.position, [])
        span = price.active_in(part.span)
        if span is not None and price.minimum:
            share = charges.share_of(price.proration, span, whole, zone)
            lines = [*lines, *_true_up(part, span, price.minimum * share, lines, price, zone)]
        so_far += sum(line.amount_minor for line in lines)
        yield from lines
    if part.version.commitment:
        share = charges.share_of(Proration.DAY, part.span, whole, zone)
        yield from _true_up(part, part.span, part.version.commitment * share, so_far, None, zone)


def _true_up(
    part: Part, span: Period, minimum: Fraction, lines: Sequence[Line] | int, price: PriceTerms | None, zone: ZoneInfo
) -> Iterator[Line]:
    """Yield a line with what the printed amounts lack to a minimum."""
    version = part.version
    printed = lines if isinstance(lines, int) else sum(line.amount_minor for line in lines)
    exact = minimum - from_minor(printed, version.currency)
    amount_minor = to_minor(exact, version.currency)
    if amount_minor <= 0:
        return
    place = "minimum" if price is None else f"{price.position}.minimum"
    yield Line(
        kind="minimum_true_up",
        name=f"{price.name if price else version.plan_name}{UP_TO_MINIMUM}",
        charge_key=f"{version.plan_code}/{version.number}/{place}@{part.span.start_ms}",
        plan_code=version.plan_code,
        plan_name=version.plan_name,
        plan_version=version.number,
        span=span,
        meter=price.meter if price else "",
        unit="",
        base_unit="",
        quantity=0,
        quantity_text="",
        exact=exact,
        amount_minor=amount_minor,
        derivation=explain.true_up(part, span, minimum, printed, exact, zone),
    )


def _fees(price: PriceTerms, part: Part, span: Period, whole: Period, zone: ZoneInfo) -> Iterator[Charge]:
    """A fee for the span; one billed in advance goes to the end of the period, and what was not held is given back."""
    none = Measured.nothing()
    if not price.in_advance or span.end == whole.end:
        yield Charge(price, part, span, none, charges.flat_fee(price, span, whole, zone), "flat_fee")
        return
    ahead, unused = Period(span.start, whole.end), Period(span.end, whole.end)
    yield Charge(price, part, ahead, none, charges.flat_fee(price, ahead, whole, zone), "flat_fee")
    (back,) = charges.flat_fee(price, unused, whole, zone)
    if price.proration is not Proration.NONE and back.quantity:
        steps = (Step(-back.quantity, price.unit_price),)
        yield Charge(price, part, unused, Measured.nothing("credit"), steps, "proration_credit")


def _usage(price: PriceTerms, part: Part, span: Period, whole: Period, zone: ZoneInfo) -> Iterator[Charge]:
    machines = taken(price, part, span)
    found = measured(price, machines, taken_before(price, part), span, whole, zone)
    currency, room = part.version.currency, price.maximum
    for measure, steps in found:
        steps = charges.capped(price, steps, room)
        printed = from_minor(to_minor(charges.total(steps), currency), currency)
        room = None if room is None else max(room - printed, ZERO)  # Lines of windows never print more than the maximum.
        if measure.used or printed:
            yield Charge(price, part, span, measure, steps)


def _name(charge: Charge) -> str:
    if charge.kind == "proration_credit":
        return f"{charge.price.name}, given back"
    window = charge.measured.window_name
    return f"{charge.price.name}, {window}" if window else charge.price.name


def _fee_share(charge: Charge) -> str:
    """A whole fee is 1, a part of one has three decimals."""
    share = charge.steps[0].quantity
    return "1" if share == 1 else rounded_text(share, 3)
