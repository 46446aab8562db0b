"""What the explorer shows, put together once for the page and for its CSV: charts, their tables, sums and the period before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.shortcuts import get_object_or_404

from accounts.models import Customer
from usage.explorer import Series, Total, all_meters, by_class, by_machine, by_meter, source_of, totals_by_machine
from usage.grid import Grid
from usage.heat import Heat, heat_map
from usage.meters import METERS
from usage.models import Machine
from usage.parts import Parts, parts
from usage.periods import Period, from_ms
from usage.ranges import GROUPS, MEASURES, PICTURES, RANGES, READINGS, STEPS, Selection, previous, selection

Values = Sequence[int | None]
TABLE_ROWS = 100  # Machines listed below the chart; whoever looks for another one names it.


@dataclass(frozen=True, slots=True)
class Before:
    """The same meter in the period before, window by window, as far as both have windows."""

    values: Values
    total: int
    period: Period


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture and its table: a stack, or one meter alone, as meters have different units and cannot share an axis."""

    meter: str
    series: Sequence[Series]
    windows: Sequence[Period]
    before: Before | None = None
    heat: Heat | None = None

    @property
    def total(self) -> int:
        """What is known of all series, added up."""
        return sum(one.total for one in self.series)

    @property
    def stacked(self) -> bool:
        """Whether a total says more than its only part."""
        return len(self.series) > 1

    @property
    def change(self) -> Fraction | None:
        """How much more it is than before, as a share of that; None where there was nothing."""
        if self.before is None or not self.before.total:
            return None
        return Fraction(self.total - self.before.total, self.before.total)

    @property
    def rows(self) -> list[tuple[Period, list[int | None], int | None, int | None]]:
        """Each window with the value of each series, their total and the total before."""
        before = self.before.values if self.before else [None] * len(self.windows)
        cells = [[one.values[index] for one in self.series] for index in range(len(self.windows))]
        return [(slot, row, _total(row), then) for slot, row, then in zip(self.windows, cells, before, strict=True)]


def explore(customer: Customer, query: Mapping[str, str], at: datetime) -> dict[str, Any]:
    """Return everything the explorer shows. The number of queries grows neither with the fleet nor with the range.

    Raise Http404 where the address names somebody else's machine.
    """
    everyone = machines_of(customer, query.get("machine"))
    readings_only = bool(everyone) and not any(machine.cores for machine in everyone)
    selected = selection(query, customer.zone, at, READINGS[0] if readings_only else MEASURES[0])
    machines = [machine for machine in everyone if _wanted(machine, selected)]
    source = parts([machine.pk for machine in machines], selected.period, customer.zone)
    totals = totals_by_machine(machines, source, selected.measure)
    return {
        "customer": customer,
        "selected": selected,
        "charts": _charts(customer, selected, machines, totals, source),
        "totals": _total_rows(totals, selected.period)[:TABLE_ROWS],
        "totals_left_out": max(0, len(totals) - TABLE_ROWS),
        "sum": sum(total.quantity for total in totals),
        "sum_cpu_ms": sum(total.cpu_ms for total in totals),
        "sum_covered_ms": sum(total.covered_ms for total in totals),
        "choices": _choices(everyone),
        "days": _days(selected.period, customer),
        "machine": everyone[0] if selected.machine else None,
        "machines_shown": len(machines),
        "machines_known": len(everyone),
    }


def machines_of(customer: Customer, code: str | None) -> list[Machine]:
    """All machines of the customer, or the one that an address names. Raise Http404 for anybody else's."""
    if code:
        return [get_object_or_404(customer.machines, code=code)]
    return list(customer.machines.order_by("code"))


def _wanted(machine: Machine, selected: Selection) -> bool:
    text = selected.search.casefold()
    named = text in machine.code.casefold() or text in machine.name.casefold()
    return named and selected.machine_class in (None, "", machine.machine_class)


def _choices(machines: Sequence[Machine]) -> dict[str, Any]:
    return {
        "ranges": RANGES,
        "steps": STEPS,
        "groups": GROUPS,
        "pictures": PICTURES,
        "measures": {code: METERS[code] for code in MEASURES},
        "classes": sorted({machine.machine_class for machine in machines if machine.machine_class}),
    }


def _charts(
    customer: Customer, selected: Selection, machines: Sequence[Machine], totals: Sequence[Total], source: Parts
) -> list[Chart]:
    grid = Grid(selected.period, selected.step, customer.zone)
    fine = source_of(machines, grid) if selected.step == "hour" else source
    slots = grid.windows
    if selected.group == "meter":
        groups = [[Series(METERS[one.meter].name, one.meter, one.values)] for one in by_meter(grid, fine)]
    else:
        split = by_class if selected.group == "class" else by_machine
        found = split(totals, grid, fine, selected.measure)
        groups = [found] if found else []
    before = _before(customer, selected, machines, len(slots)) if selected.compare and groups else {}
    return [
        Chart(group[0].meter, group, slots, before.get(group[0].meter), _heat(customer, selected, group, slots))
        for group in groups
    ]


def _heat(customer: Customer, selected: Selection, group: Sequence[Series], slots: Sequence[Period]) -> Heat | None:
    if selected.picture != "heat":
        return None
    return heat_map(slots, [_total([one.values[index] for one in group]) for index in range(len(slots))], customer.zone)


def _before(customer: Customer, selected: Selection, machines: Sequence[Machine], count: int) -> dict[str, Before]:
    """The period before by meter: cut, or filled with holes, to as many windows as are shown."""
    period = previous(selected, customer.zone)
    grid = Grid(period, selected.step, customer.zone)
    found = all_meters(grid, source_of(machines, grid))
    return {
        meter: Before(values=[*values[:count], *[None] * (count - len(values))], total=_total(values) or 0, period=period)
        for meter, values in found.items()
    }


def _total(values: Values) -> int | None:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _total_rows(totals: Sequence[Total], period: Period) -> list[tuple[Total, Fraction, Fraction, Fraction | None]]:
    """Each machine with its share of all, its share of the largest (the bar), and its coverage."""
    everything = sum(total.quantity for total in totals)
    largest = max((total.quantity for total in totals), default=0)
    return [
        (
            total,
            Fraction(total.quantity, everything or 1),
            Fraction(total.quantity, largest or 1),
            min(Fraction(1), Fraction(total.covered_ms, period.length_ms)) if total.covered_ms else None,
        )
        for total in totals
    ]


def _days(period: Period, customer: Customer) -> tuple[str, str]:
    """The first and the last local day of the range, as date fields want them."""
    last = from_ms(period.end_ms - 1)
    return period.start.astimezone(customer.zone).date().isoformat(), last.astimezone(customer.zone).date().isoformat()
