"""Quantities and prices in, lines out: the one rater behind the invoice, the live cost and every preview. Pure.

A period is cut into parts in which one plan version holds; each price of each part makes at most one line, rounded once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from invoices import charges, explain
from invoices.charges import Step
from invoices.money import rounded_text, to_minor
from invoices.terms import Model, PriceTerms, VersionTerms, per_unit
from usage.meters import METERS
from usage.periods import Period


@dataclass(frozen=True, slots=True)
class MachineUsage:
    """What one machine used in a span: meter code to whole base units, and how much of the time due was metered."""

    code: str
    quantities: Mapping[str, int]
    name: str = ""
    machine_class: str = ""
    covered_ms: int = 0
    buckets: int = 0
    due_ms: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A span in which one version of one plan holds, and what was used in it."""

    span: Period
    version: VersionTerms
    usage: Sequence[MachineUsage]


@dataclass(frozen=True, slots=True)
class Charge:
    """What one price comes to in one part, exactly."""

    price: PriceTerms
    part: Part
    machines: tuple[MachineUsage, ...]
    quantity: int
    per_unit: int
    steps: tuple[Step, ...]

    @property
    def exact(self) -> Fraction:
        """Major units, before the one rounding."""
        return sum((step.exact for step in self.steps), Fraction(0))

    @property
    def units(self) -> Fraction:
        """The quantity in the price's unit."""
        return Fraction(self.quantity, self.per_unit)

    @property
    def key(self) -> str:
        """Which price over which span: what a later correction is matched by."""
        version = self.part.version
        return f"{version.plan_code}/{version.number}/{self.price.position}@{self.part.span.start_ms}"


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


def rate(parts: Sequence[Part], whole: Period, zone: ZoneInfo) -> list[Line]:
    """Return the lines of a period. Each is rounded once, half away from zero; totals add what the lines say."""
    return [line_of(charge, zone) for part in parts for charge in charges_of(part, whole, zone)]


def charges_of(part: Part, whole: Period, zone: ZoneInfo) -> Iterator[Charge]:
    """Yield what each price of a part comes to, in the plan's order. No usage, no charge."""
    for price in part.version.prices:
        if price.model is Model.FLAT:
            yield Charge(price, part, (), 0, 1, charges.flat_fee(price, part.span, whole, zone))
        else:
            yield from _usage_charge(price, part, whole)


def line_of(charge: Charge, zone: ZoneInfo) -> Line:
    """Round a charge and say how it came about."""
    price, version = charge.price, charge.part.version
    amount_minor = to_minor(charge.exact, version.currency)
    flat = price.model is Model.FLAT
    return Line(
        kind="flat_fee" if flat else "usage",
        name=price.name,
        charge_key=charge.key,
        plan_code=version.plan_code,
        plan_name=version.plan_name,
        plan_version=version.number,
        span=charge.part.span,
        meter=price.meter,
        unit="month" if flat else price.unit,
        base_unit="" if flat else METERS[price.meter].base,
        quantity=charge.quantity,
        quantity_text=_fee_share(charge) if flat else rounded_text(charge.units, 3),
        exact=charge.exact,
        amount_minor=amount_minor,
        derivation=explain.derivation(charge, amount_minor, zone),
    )


def _usage_charge(price: PriceTerms, part: Part, whole: Period) -> Iterator[Charge]:
    machines = tuple(machine for machine in part.usage if _applies(price, part.version, machine))
    quantity = sum(machine.quantities.get(price.meter, 0) for machine in machines)
    if quantity or price.flat_when_zero:
        size = per_unit(price.meter, price.unit, whole)
        yield Charge(price, part, machines, quantity, size, charges.charge(price, Fraction(quantity, size)))


def _fee_share(charge: Charge) -> str:
    """A whole fee is 1, a part of one has three decimals."""
    share = charge.steps[0].quantity
    return "1" if share == 1 else rounded_text(share, 3)


def _applies(price: PriceTerms, version: VersionTerms, machine: MachineUsage) -> bool:
    """A price for a class takes that class; one without takes every machine whose class has no price of its own."""
    if price.selector:
        return machine.machine_class == price.selector
    return not any(
        other.meter == price.meter and other.selector and other.selector == machine.machine_class for other in version.prices
    )
