"""From what machines used to what a price prices: sums, averages, peaks, by customer or machine, by window or hour. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

from invoices import charges, levels
from invoices.charges import Step
from invoices.levels import Exact, Slot
from invoices.money import round_half_away
from invoices.takers import Taken, in_units
from invoices.terms import ONE, ZERO, Aggregation, Model, Per, PriceTerms, per_level_hour, per_unit
from invoices.windows import Timeline, series_timeline, week_timeline
from usage.meters import METERS, MS_PER_HOUR
from usage.periods import Period

MICRO = 10**6
OTHER_TIMES = "other times"


class UnpricedError(ValueError):
    """Usage from before a series of prices begins: what nobody could price must not pass unseen."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity as measured: `used` base units, of which `unit_size` are a unit.

    A line keeps `whole`, of which `size` are a unit: base units, or millionths of a level and of a custom meter.
    """

    used: Exact
    units: Fraction
    unit_size: Exact
    size: Exact
    whole: int
    machines: tuple[Taken, ...]
    window: str | None = None
    window_name: str = ""

    @staticmethod
    def nothing(window: str | None = None) -> "Measured":
        """Nothing was measured, as for a fee."""
        return Measured(0, ZERO, 1, 1, 0, (), window)


@dataclass(frozen=True, slots=True)
class Group:
    """Machines whose usage is added up before it is priced."""

    machines: tuple[Taken, ...]
    prior: Fraction | None
    code: str = ""

    @property
    def slots(self) -> list[Slot]:
        """When it was used, by all of them."""
        return [slot for taken in self.machines for slot in taken.slots]

    @property
    def used(self) -> Exact:
        """The sum in base units."""
        return sum(taken.quantity for taken in self.machines)


@dataclass(frozen=True, slots=True)
class Scale:
    """How base units become units, and what share of its price a part of the period is charged."""

    size: Exact
    level_size: int
    share: Fraction
    span: Period
    zone: ZoneInfo


def measured(
    price: PriceTerms, machines: Sequence[Taken], before: Mapping[str, Exact] | None, span: Period, whole: Period, zone: ZoneInfo
) -> Iterator[tuple[Measured, tuple[Step, ...]]]:
    """Yield what a price measures and its steps: once, or once for each window of a time-of-use price that was used."""
    scale = scale_of(price, span, whole, zone)
    groups = list(_groups(price, machines, before, scale.size))
    if price.model is Model.TIME_OF_USE:
        yield from _by_window(price, groups, scale)
        return
    rows = [(group, *_steps(price, group, scale)) for group in groups]
    steps = tuple(step for group, _, of_group in rows for step in _labelled(of_group, group.code))
    units = sum((units for _, units, _ in rows), ZERO)
    yield _measured(price, machines, units, scale), steps


def scale_of(price: PriceTerms, span: Period, whole: Period, zone: ZoneInfo) -> Scale:
    """Return the sizes of a price's units. An average is a level held through the whole period."""
    level_size = per_level_hour(price.meter, price.unit)
    size: Exact = per_unit(price.meter, price.unit, whole)
    if price.aggregation is Aggregation.TIME_AVERAGE:
        size = Fraction(level_size * whole.length_ms, MS_PER_HOUR)
    share = charges.share_of(price.proration, span, whole, zone) if price.is_peak or price.model is Model.RESERVED else ONE
    return Scale(size, level_size, share, span, zone)


def _groups(price: PriceTerms, machines: Sequence[Taken], before: Mapping[str, Exact] | None, size: Exact) -> Iterator[Group]:
    if price.per is Per.CUSTOMER:
        prior = None if before is None else in_units(sum(before.values()), size)
        yield Group(tuple(machines), prior)
        return
    for taken in machines:
        code = taken.machine.code
        yield Group((taken,), None if before is None else in_units(before.get(code, 0), size), code)


def _steps(price: PriceTerms, group: Group, scale: Scale) -> tuple[Fraction, tuple[Step, ...]]:
    """Return a group's units and what they come to."""
    if price.model is Model.RESERVED:
        return _reserved(price, group, scale)
    if price.is_peak:
        units = levels.peak(group.slots, price.aggregation, scale.level_size, price.bucket_ms)
        return units, charges.shared(charges.charge(price, units), scale.share)
    units = in_units(group.used, scale.size)
    if price.model is Model.SPOT_SERIES or price.demand is not None:
        steps, _ = _in_time(price, group, None, charges.included_left(price, group.prior), scale)
        return units, steps
    if price.model is Model.PERCENTAGE:
        events = sorted(group.slots) if group.slots else [Slot(0, 0, group.used)] if group.used else []
        return units, charges.percentage(price, [in_units(slot.quantity, scale.size) for slot in events], group.prior)
    return units, charges.charge(price, units, group.prior)


def _reserved(price: PriceTerms, group: Group, scale: Scale) -> tuple[Fraction, tuple[Step, ...]]:
    """Cores are held hour by hour, and what is above them counts hour by hour; a quantity is of the whole period."""
    if price.is_peak:
        units = levels.peak(group.slots, price.aggregation, scale.level_size, price.bucket_ms)
        return units, charges.reserved(price, price.reserved, max(units - price.reserved, ZERO), scale.share)
    units = in_units(group.used, scale.size)
    if not price.reserves_level:
        held = price.reserved * scale.share
        return units, charges.reserved(price, held, max(units - held, ZERO))
    hourly = price.reserved * scale.level_size
    held = in_units(hourly * Fraction(scale.span.length_ms, MS_PER_HOUR), scale.size)
    return units, charges.reserved(price, held, in_units(levels.over(group.slots, hourly), scale.size))


def _by_window(price: PriceTerms, groups: Sequence[Group], scale: Scale) -> Iterator[tuple[Measured, tuple[Step, ...]]]:
    """Yield each window that was used, in the order listed, what is outside of all last. Included units go in that order."""
    timeline = week_timeline(price.windows, scale.span, scale.zone)
    inside = {taken.machine.code: levels.by_label(taken.slots, timeline) for group in groups for taken in group.machines}
    free = [charges.included_left(price, group.prior) for group in groups]
    for number in (*range(len(price.windows)), None):
        steps: list[Step] = []
        machines: list[Taken] = []
        units = ZERO
        for place, group in enumerate(groups):
            of_window = _in_window(group, inside, number)
            if of_window.used:
                value, of_group, free[place] = _window_steps(price, of_window, number, free[place], scale)
                steps += _labelled(of_group, group.code)
                machines += of_window.machines
                units += value
        if machines:
            yield _measured(price, machines, units, scale, number), tuple(steps)


def _in_window(group: Group, inside: Mapping[str, Mapping[int | None, Sequence[Slot]]], number: int | None) -> Group:
    """The group with what its machines used in one window."""
    slots = [(taken.machine, inside[taken.machine.code].get(number, ())) for taken in group.machines]
    machines = [Taken(machine, sum(slot.quantity for slot in used), used) for machine, used in slots if used]
    return Group(tuple(machines), None, group.code)


def _window_steps(
    price: PriceTerms, group: Group, number: int | None, free: Fraction, scale: Scale
) -> tuple[Fraction, tuple[Step, ...], Fraction]:
    unit_price = price.unit_price if number is None else price.windows[number].unit_price
    if price.is_peak:
        units = levels.peak(group.slots, price.aggregation, scale.level_size, price.bucket_ms)
        steps, free = charges.in_turn(price, [(units, unit_price)], free)
        return units, charges.shared(steps, scale.share), free
    units = in_units(sum(slot.quantity for slot in group.slots), scale.size)
    if price.demand is not None:
        return units, *_in_time(price, group, number, free, scale)
    return units, *charges.in_turn(price, [(units, unit_price)], free)


def _in_time(
    price: PriceTerms, group: Group, number: int | None, free: Fraction, scale: Scale
) -> tuple[tuple[Step, ...], Fraction]:
    """Cut usage where the price changes. Included units go in order of time."""
    timeline = _price_timeline(price, number, scale.span)
    used = levels.sums(group.slots, [(start, end, place) for place, (start, end, _) in enumerate(timeline)])
    pieces = []
    for place in sorted(place for place, quantity in used.items() if quantity):
        unit_price = timeline[place][2]
        if unit_price is None:
            raise UnpricedError(f"{price.name!r} has no price before the first of its series, and there is usage.")
        pieces.append((in_units(used[place], scale.size), unit_price))
    return charges.in_turn(price, pieces, free)


def _price_timeline(price: PriceTerms, number: int | None, span: Period) -> "Timeline[Fraction | None]":
    """Which price per unit is in force when."""
    if price.model is Model.SPOT_SERIES:
        first = price.unit_price or None  # Before the series begins, where the plan says so.
        return [(start, end, first if value is None else value) for start, end, value in series_timeline(price.series, span)]
    unit_price = price.unit_price if number is None else price.windows[number].unit_price
    demand = price.demand
    if demand is None:
        return [(span.start_ms, span.end_ms, unit_price)]
    return [
        (start, end, unit_price if load is None else unit_price * demand.multiplier(load))
        for start, end, load in series_timeline(demand.loads, span)
    ]


def _labelled(steps: Sequence[Step], code: str) -> list[Step]:
    """Say whose steps they are where each machine is priced by itself."""
    if not code:
        return list(steps)
    return [
        Step(step.quantity, step.unit_price, step.flat, step.above, step.up_to, f"{code} {step.label}".rstrip(), step.share)
        for step in steps
    ]


def _measured(price: PriceTerms, machines: Sequence[Taken], units: Fraction, scale: Scale, number: int | None = -1) -> Measured:
    used = sum(taken.quantity for taken in machines)
    known = price.meter in METERS and not price.is_level
    size = scale.size if known else MICRO
    whole = round_half_away(Fraction(used) if known else units * MICRO)
    if number == -1:
        return Measured(used, units, scale.size, size, whole, tuple(machines))
    window, name = ("other", OTHER_TIMES) if number is None else (str(number), price.windows[number].name)
    return Measured(used, units, scale.size, size, whole, tuple(machines), window, name)
