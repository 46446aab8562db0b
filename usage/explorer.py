"""Reads for the usage explorer: sums by hour, day or month in the customer's zone, by machine, class or meter.

The database adds up days and quarter hours, and at most a handful of series leave it, so the cost does not grow with the fleet.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import BigIntegerField, Case, Sum, Value, When
from django.utils.translation import gettext as _

from usage.grid import STEP_MS, Grid, measured
from usage.meters import COLUMNS
from usage.models import Machine
from usage.parts import Parts, parts, quarter_hours
from usage.ranges import MEASURES, READINGS

SERIES = 7  # As many machines as can be told apart in a stack; the rest becomes one.
OTHERS = 0


@dataclass(frozen=True, slots=True)
class Total:
    """One machine's sums over the whole range, in base units."""

    machine: Machine
    quantity: int
    cpu_ms: int
    covered_ms: int


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity per window, in base units of its meter; None where nothing was metered, which is not nothing used."""

    name: str
    meter: str
    values: list[int | None]
    is_rest: bool = False

    @property
    def total(self) -> int:
        """What is known, added up."""
        return sum(value or 0 for value in self.values)


def totals_by_machine(machines: Sequence[Machine], source: Parts, measure: str) -> list[Total]:
    """Return each machine with usage in the source, the largest first. One query for each of its parts."""
    by_id = {machine.pk: machine for machine in machines}
    sums = {f"sum_{column}": Sum(column) for column in {*COLUMNS[measure], "cpu_ms", "covered_ms"}}
    found: dict[int, Counter[str]] = {}
    for part in source:
        for row in part.values("machine_id").annotate(**sums).order_by():
            found.setdefault(row["machine_id"], Counter()).update({name: int(row[name]) for name in sums})
    totals = [
        Total(machine=by_id[pk], quantity=measured(row, measure), cpu_ms=row["sum_cpu_ms"], covered_ms=row["sum_covered_ms"])
        for pk, row in found.items()
    ]
    return sorted(totals, key=lambda total: (-total.quantity, total.machine.code))


def by_machine(totals: Sequence[Total], grid: Grid, source: Parts, measure: str) -> list[Series]:
    """Return one series for each of the largest machines, and one for all others. One query for each part."""
    shown = totals if len(totals) <= SERIES + 1 else totals[:SERIES]
    groups = [(str(total.machine), [total.machine.pk]) for total in shown]
    rest = len(totals) - len(shown)
    return _stack(groups, grid, source, measure, _("%(count)d others") % {"count": rest} if rest else "")


def by_class(totals: Sequence[Total], grid: Grid, source: Parts, measure: str) -> list[Series]:
    """Return one series for each of the largest machine classes, and one for all others. One query for each part."""
    members: dict[str, list[Total]] = {}
    for total in totals:
        members.setdefault(total.machine.machine_class, []).append(total)
    ranked = sorted(members.items(), key=lambda pair: (-sum(total.quantity for total in pair[1]), pair[0]))
    groups = [(name or _("No class"), [total.machine.pk for total in found]) for name, found in ranked]
    shown = groups if len(groups) <= SERIES + 1 else groups[:SERIES]
    rest = len(groups) - len(shown)
    return _stack(shown, grid, source, measure, _("%(count)d others") % {"count": rest} if rest else "")


def by_meter(grid: Grid, source: Parts) -> list[Series]:
    """Return one series for each meter that counted anything, all machines together. One query for each part."""
    values = all_meters(grid, source)
    counted = [Series(measure, measure, values[measure]) for measure in MEASURES if any(values[measure])]
    intervals = [series for series in counted if series.meter not in READINGS]
    return intervals or counted


def all_meters(grid: Grid, source: Parts) -> dict[str, list[int | None]]:
    """Return what all machines used together, by meter. One query for each part."""
    columns = {column for measure in MEASURES for column in COLUMNS[measure]}
    values = {measure: grid.empty() for measure in MEASURES}
    for part in source:
        for row in grid.sums(part, sorted(columns)):
            for measure in MEASURES:
                grid.add(values[measure], row, measure)
    return values


def source_of(machines: Sequence[Machine], grid: Grid) -> Parts:
    """Where to read what is shown in such steps: of hours a day's sum says nothing."""
    ids = [machine.pk for machine in machines]
    hourly = grid.step_ms < STEP_MS["day"]
    return [quarter_hours(ids, grid.period.start_ms, grid.period.end_ms)] if hourly else parts(ids, grid.period, grid.zone)


def _stack(groups: Sequence[tuple[str, list[int]]], grid: Grid, source: Parts, measure: str, rest: str) -> list[Series]:
    """Return one series for each group of machines, and one for the rest. One query for each part."""
    whens = [When(machine_id__in=ids, then=Value(place)) for place, (_, ids) in enumerate(groups, 1)]
    which = Case(*whens, default=Value(OTHERS), output_field=BigIntegerField())
    values = [grid.empty() for _ in range(len(groups) + 1)]
    for part in source:
        for row in grid.sums(part.annotate(which=which), COLUMNS[measure], "which"):
            grid.add(values[row["which"]], row, measure)
    series = [Series(name, measure, values[place]) for place, (name, _) in enumerate(groups, 1)]
    return [*series, Series(rest, measure, values[OTHERS], is_rest=True)] if rest else series
