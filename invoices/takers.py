"""Which price takes which machine's usage, and when: of its class or labels before the one for all. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from invoices.levels import Exact, Slot, within
from invoices.terms import PriceTerms, TierWindow, VersionTerms
from usage.periods import Period


@dataclass(frozen=True, slots=True)
class MachineUsage:
    """What one machine used in a span: meter code to base units, and how much of the time due was metered.

    `slots` say when, for the meters that a price needs it of; they add up to the quantities.
    """

    code: str
    quantities: Mapping[str, Exact]
    name: str = ""
    machine_class: str = ""
    covered_ms: int = 0
    buckets: int = 0
    due_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    slots: Mapping[str, Sequence[Slot]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A span in which one version of one plan holds, what was used in it, and before it in the windows that tiers count in."""

    span: Period
    version: VersionTerms
    usage: Sequence[MachineUsage]
    earlier: Mapping[TierWindow, Sequence[MachineUsage]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a price takes of one machine."""

    machine: MachineUsage
    quantity: Exact
    slots: Sequence[Slot] = ()


def taken(price: PriceTerms, part: Part, span: Period) -> list[Taken]:
    """Return what a price takes of each machine in a span, by the part's order."""
    return [
        usage for machine in part.usage if (usage := _taken_of(machine, price, part.version.prices, part.span, span)) is not None
    ]


def taken_before(price: PriceTerms, part: Part) -> dict[str, Exact] | None:
    """Return what the price's machines used earlier in its tier window, by code; None where nothing is counted on."""
    if price.tier_window not in part.earlier:
        return None
    before: dict[str, Exact] = {}
    for machine in part.earlier[price.tier_window]:
        if _matches(price, machine) and not any(_beats(other, price, machine) for other in part.version.prices):
            before[machine.code] = before.get(machine.code, 0) + machine.quantities.get(price.meter, 0)
    return before


def _taken_of(
    machine: MachineUsage, price: PriceTerms, prices: Sequence[PriceTerms], whole: Period, span: Period
) -> Taken | None:
    if not _matches(price, machine):
        return None
    slots = machine.slots.get(price.meter, ())
    spans = [(span.start_ms, span.end_ms)]
    for other in prices:
        active = other.active_in(span) if _beats(other, price, machine) else None
        spans = [piece for low, high in spans for piece in _without(low, high, active)]
    if not spans:
        return None
    if spans == [(whole.start_ms, whole.end_ms)]:
        return Taken(machine, machine.quantities.get(price.meter, 0), slots)
    inside = [slot for low, high in spans for slot in within(slots, low, high)]
    return Taken(machine, sum(slot.quantity for slot in inside), inside)


def _matches(price: PriceTerms, machine: MachineUsage) -> bool:
    if price.selector and machine.machine_class != price.selector:
        return False
    return all(machine.labels.get(key) == value for key, value in price.labels)


def _beats(other: PriceTerms, price: PriceTerms, machine: MachineUsage) -> bool:
    """A price that asks for more comes first, of two that ask for as much the one that is listed first."""
    if other.meter != price.meter or (other.selector, other.labels) == (price.selector, price.labels):
        return False
    first = (-other.selects, other.position) < (-price.selects, price.position)
    return first and _matches(other, machine)


def _without(low: int, high: int, active: Period | None) -> Iterator[tuple[int, int]]:
    """What is left of [low, high) outside another price's time."""
    if active is None:
        yield low, high
        return
    for start, end in ((low, min(high, active.start_ms)), (max(low, active.end_ms), high)):
        if start < end:
            yield start, end


def in_units(quantity: Exact, size: Exact) -> Fraction:
    """Return base units as units."""
    return Fraction(quantity, size)
