"""The usage that a quote brings: totals, records and levels become what the rater reads. Pure, and bounded in work."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from invoices import plan_fields as fields
from invoices.levels import Exact, Slot, overlaid, within
from invoices.metering import scale_of
from invoices.plan_fields import PlanFileError, path
from invoices.plan_times import WEEK_MS
from invoices.takers import MachineUsage
from invoices.terms import Aggregation, Model, PriceTerms, per_level_hour
from usage.meters import MS_PER_HOUR
from usage.periods import Period, to_ms

PLACES = 12
MOST_METERS = 50
MOST_MACHINES = 100
MOST_RECORDS = 20_000
MOST_WORK = 400_000


@dataclass(slots=True)
class Budget:
    """How many records are still read, and how many lay outside the period."""

    records: int = MOST_RECORDS
    ignored: int = 0


def machines_of(
    document: Mapping[str, Any], prices: Sequence[PriceTerms], period: Period, zone: ZoneInfo
) -> tuple[list[MachineUsage], int]:
    """Return the usage of each machine of a quote, and how many records lay outside its period.

    Usage that is not of a machine is of one without a class; where all prices of its meter are for one class, of that one.
    """
    budget = Budget()
    rows = document.get("machines", [])
    if not isinstance(rows, list) or len(rows) > MOST_MACHINES:
        raise PlanFileError("machines", f"must be a list of at most {MOST_MACHINES} machines.")
    machines = [_machine(fields.table(row, f"machines[{n}]"), n, prices, period, zone, budget) for n, row in enumerate(rows)]
    codes = [machine.code for machine in machines]
    for index, code in enumerate(codes):
        if codes.index(code) != index:
            raise PlanFileError(f"machines[{index}].code", f"{code!r} is listed already.")
    loose = fields.table(document.get("usage", {}), "usage")
    if len(loose) > MOST_METERS:
        raise PlanFileError("usage", f"has {len(loose)} meters; at most {MOST_METERS} are read.")
    for meter, value in loose.items():
        of_meter = _prices_of(meter, prices, "usage")
        machines.append(_loose(meter, of_meter, _slots(value, path("usage", meter), of_meter, period, zone, budget)))
    _check_work(machines, prices, period)
    return machines, budget.ignored


def earlier_usage(value: object, prices: Sequence[PriceTerms], period: Period, zone: ZoneInfo) -> list[MachineUsage]:
    """Return what `prior_quantity` says was used before: per meter, or one number where one meter is priced."""
    meters = list(dict.fromkeys(price.meter for price in prices if price.model is not Model.FLAT))
    if not isinstance(value, Mapping):
        if len(meters) != 1:
            raise PlanFileError("prior_quantity", f"say of which meter: {', '.join(meters)}.")
        value = {meters[0]: value}
    machines = []
    for meter, number in value.items():
        of_meter = _prices_of(meter, prices, "prior_quantity")
        quantity = fields.decimal(number, path("prior_quantity", meter), PLACES)
        machines.append(_loose(meter, of_meter, [Slot(0, 0, quantity * scale_of(of_meter[0], period, period, zone).size)]))
    return machines


def _machine(
    row: Mapping[str, Any], index: int, prices: Sequence[PriceTerms], period: Period, zone: ZoneInfo, budget: Budget
) -> MachineUsage:
    where = f"machines[{index}]"
    fields.only(row, {"code", "class", "labels", "usage"}, where)
    labels = fields.table(row.get("labels", {}), path(where, "labels"))
    usage = fields.table(row.get("usage", {}), path(where, "usage"))
    slots = {
        meter: _slots(value, f"{where}.usage.{meter}", _prices_of(meter, prices, f"{where}.usage"), period, zone, budget)
        for meter, value in usage.items()
    }
    return MachineUsage(
        code=fields.text(row, "code", where, 63, f"machine-{index + 1}"),
        quantities={meter: _sum(of_meter) for meter, of_meter in slots.items()},
        name=fields.text(row, "code", where, 63, f"machine-{index + 1}"),
        machine_class=fields.text(row, "class", where, 40, ""),
        labels={key: fields.text(labels, key, path(where, "labels"), 63) for key in labels},
        slots=slots,
    )


def _loose(meter: str, prices: Sequence[PriceTerms], slots: Sequence[Slot]) -> MachineUsage:
    """Usage of no machine in particular, priced by the price for all, else by the one class that has a price."""
    selectors = {(price.selector, price.labels) for price in prices}
    if ("", ()) not in selectors and len(selectors) > 1:
        raise PlanFileError(path("usage", meter), "its prices are for different machines: say which in `machines`.")
    machine_class, labels = ("", ()) if ("", ()) in selectors else next(iter(selectors))
    return MachineUsage(f"usage of {meter}", {meter: _sum(slots)}, "", machine_class, labels=dict(labels), slots={meter: slots})


def _prices_of(meter: str, prices: Sequence[PriceTerms], where: str) -> list[PriceTerms]:
    found = [price for price in prices if price.meter == meter and price.model is not Model.FLAT]
    if not found:
        raise PlanFileError(path(where, str(meter)[:40]), "has no price here.")
    return found


def _slots(value: object, where: str, prices: Sequence[PriceTerms], period: Period, zone: ZoneInfo, budget: Budget) -> list[Slot]:
    """A total is what the period came to, spread evenly; a record is an event; a level is held from its start to its end."""
    if not isinstance(value, list):
        quantity = fields.decimal(value, where, PLACES) * _size(prices, where, period, zone)
        peak = any(price.is_peak for price in prices)
        return [Slot(period.start_ms, period.start_ms if peak else period.end_ms, quantity)] if quantity else []
    budget.records -= len(value)
    if budget.records < 0:
        raise PlanFileError(where, f"more than {MOST_RECORDS} records in all.")
    slots = []
    for index, row in enumerate(value):
        slots.append(_record(row, f"{where}[{index}]", prices, period, zone))
    inside = within(slots, period.start_ms, period.end_ms)
    budget.ignored += len(slots) - len(inside)
    held = overlaid([slot for slot in inside if slot.start_ms < slot.end_ms])
    return sorted([slot for slot in inside if slot.start_ms == slot.end_ms] + held)


def _record(row: object, where: str, prices: Sequence[PriceTerms], period: Period, zone: ZoneInfo) -> Slot:
    if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str):
        raise PlanFileError(where, 'must be a pair [instant, quantity] or ["start/end", level].')
    start, slash, end = row[0].partition("/")
    number = fields.decimal(row[1], f"{where}[1]", PLACES)
    start_ms = to_ms(fields.moment(start, f"{where}[0]"))
    if not slash:
        if any(price.aggregation is Aggregation.TIME_AVERAGE for price in prices):
            raise PlanFileError(f"{where}[0]", 'an average is of levels held for a time: write "start/end".')
        return Slot(start_ms, start_ms, number * _size(prices, where, period, zone))
    end_ms = to_ms(fields.moment(end, f"{where}[0]"))
    if end_ms <= start_ms:
        raise PlanFileError(f"{where}[0]", "ends before it begins.")
    level_size = per_level_hour(prices[0].meter, prices[0].unit)
    return Slot(start_ms, end_ms, Fraction(number * level_size * (end_ms - start_ms), MS_PER_HOUR))


def _size(prices: Sequence[PriceTerms], where: str, period: Period, zone: ZoneInfo) -> Exact:
    """How many base units one of the number is: the same for all prices of the meter, or it could not be told."""
    sizes = set(_sizes(prices, period, zone))
    if len(sizes) > 1:
        raise PlanFileError(where, "its prices count in different units: write levels, or ask for each by itself.")
    return sizes.pop()


def _sizes(prices: Sequence[PriceTerms], period: Period, zone: ZoneInfo) -> Iterator[Exact]:
    for price in prices:
        yield per_level_hour(price.meter, price.unit) if price.is_peak else scale_of(price, period, period, zone).size


def _sum(slots: Sequence[Slot]) -> Exact:
    return sum(slot.quantity for slot in slots)


def _check_work(machines: Sequence[MachineUsage], prices: Sequence[PriceTerms], period: Period) -> None:
    """Refuse what would take long: records times prices, usage cut at many edges, and long levels cut into many buckets."""
    work = 0
    for price in prices:
        edges, in_windows = _edges(price, period)
        for machine in machines:
            slots = machine.slots.get(price.meter, ())
            work += len(slots) + edges + (in_windows if slots else 0)
            if price.bucket_ms:
                work += sum((slot.end_ms - slot.start_ms) // price.bucket_ms for slot in slots)
    if work > MOST_WORK:
        raise PlanFileError("usage", f"takes {work} steps with these prices; at most {MOST_WORK} are done.")


def _edges(price: PriceTerms, period: Period) -> tuple[int, int]:
    """At how many instants a price may change, and at how many more where it has windows: in each, loads are looked at anew."""
    loads = len(price.demand.loads) if price.demand is not None else 0
    opened = sum(len(window.days) for window in price.windows) * (period.length_ms // WEEK_MS + 1)
    return len(price.series) + loads, opened + loads * len(price.windows)
