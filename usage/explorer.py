"""Reads for the usage explorer: sums of buckets by hour, day or month in the customer's zone, by machine, class or meter.

The database adds the buckets up, and at most a handful of series leave it, so the cost does not grow with the fleet.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Case, F, Min, QuerySet, Sum, Value, When

from usage.meters import COLUMNS
from usage.models import Machine, UsageBucket
from usage.periods import Period, from_ms, to_ms
from usage.ranges import MEASURES, READINGS
from usage.windows import windows

SERIES = 7  # As many machines as can be told apart in a stack; the rest becomes one.
STEP_MS = {"hour": 3_600_000, "day": 86_400_000, "month": 86_400_000}  # The database adds up days; months are made of them.
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


def totals_by_machine(machines: Sequence[Machine], period: Period, measure: str) -> list[Total]:
    """Return each machine with usage in the range, the largest first. One query."""
    by_id = {machine.pk: machine for machine in machines}
    sums = {f"sum_{column}": Sum(column) for column in {*COLUMNS[measure], "cpu_ms", "covered_ms"}}
    rows: Iterable[Any] = _buckets(by_id, period).values("machine_id").annotate(**sums).order_by()
    found = [
        Total(
            machine=by_id[row["machine_id"]],
            quantity=_sum(row, measure),
            cpu_ms=int(row["sum_cpu_ms"]),
            covered_ms=int(row["sum_covered_ms"]),
        )
        for row in rows
    ]
    return sorted(found, key=lambda total: (-total.quantity, total.machine.code))


def by_machine(totals: Sequence[Total], period: Period, step: str, zone: ZoneInfo, measure: str) -> list[Series]:
    """Return one series for each of the largest machines, and one for all others. One query."""
    shown = totals if len(totals) <= SERIES + 1 else totals[:SERIES]
    groups = [(str(total.machine), [total.machine.pk]) for total in shown]
    return _stack(groups, [total.machine.pk for total in totals[len(shown) :]], _Grid(period, step, zone), measure)


def by_class(totals: Sequence[Total], period: Period, step: str, zone: ZoneInfo, measure: str) -> list[Series]:
    """Return one series for each of the largest machine classes, and one for all others. One query."""
    members: dict[str, list[Total]] = {}
    for total in totals:
        members.setdefault(total.machine.machine_class, []).append(total)
    ranked = sorted(members.items(), key=lambda pair: (-sum(total.quantity for total in pair[1]), pair[0]))
    groups = [(name or "No class", [total.machine.pk for total in found]) for name, found in ranked]
    shown = groups if len(groups) <= SERIES + 1 else groups[:SERIES]
    rest = [pk for _, found in groups[len(shown) :] for pk in found]
    return _stack(shown, rest, _Grid(period, step, zone), measure, rest_name=f"{len(groups) - len(shown)} others")


def by_meter(machines: Sequence[Machine], period: Period, step: str, zone: ZoneInfo) -> list[Series]:
    """Return one series for each meter that counted anything, all machines together. One query."""
    values = all_meters([machine.pk for machine in machines], period, step, zone)
    counted = [Series(measure, measure, values[measure]) for measure in MEASURES if any(values[measure])]
    intervals = [series for series in counted if series.meter not in READINGS]
    return intervals or counted


def all_meters(machine_ids: Sequence[int], period: Period, step: str, zone: ZoneInfo) -> dict[str, list[int | None]]:
    """Return what all these machines used together, by meter. One query."""
    grid = _Grid(period, step, zone)
    columns = {column for measure in MEASURES for column in COLUMNS[measure]}
    values = {measure: grid.empty() for measure in MEASURES}
    for row in grid.sums(_buckets(machine_ids, period), sorted(columns)):
        for measure in MEASURES:
            grid.add(values[measure], row, measure)
    return values


def _stack(
    groups: Sequence[tuple[str, list[int]]], rest: Sequence[int], grid: "_Grid", measure: str, rest_name: str = ""
) -> list[Series]:
    """Return one series for each group of machines, and one for the rest. One query."""
    whens = [When(machine_id__in=ids, then=Value(place)) for place, (_, ids) in enumerate(groups, 1)]
    which = Case(*whens, default=Value(OTHERS), output_field=BigIntegerField())
    everyone = [pk for _, ids in groups for pk in ids] + list(rest)
    values = [grid.empty() for _ in range(len(groups) + 1)]
    for row in grid.sums(_buckets(everyone, grid.period).annotate(which=which), COLUMNS[measure], "which"):
        grid.add(values[row["which"]], row, measure)
    series = [Series(name, measure, values[place]) for place, (name, _) in enumerate(groups, 1)]
    others = Series(rest_name or f"{len(rest)} others", measure, values[OTHERS], is_rest=True)
    return [*series, others] if rest else series


class _Grid:
    """The windows of a range, and how the database finds a bucket's window without a list of them.

    Local hours and days are whole numbers of steps once the zone's offset is added, so one remainder finds their start;
    the few changes of the offset in the range are all that the query must know of the calendar.
    """

    def __init__(self, period: Period, step: str, zone: ZoneInfo) -> None:
        self.period = period
        self.windows = windows(period, step, zone)
        self.starts = [window.start_ms for window in self.windows]
        self.step_ms = STEP_MS[step]
        changes = list(_offsets(period, zone))
        self.offset = Case(
            *(When(start_ms__lt=until_ms, then=Value(offset_ms)) for until_ms, offset_ms in changes[:-1]),
            default=Value(changes[-1][1]),
            output_field=BigIntegerField(),
        )

    def sums(self, buckets: QuerySet[UsageBucket], columns: Sequence[str], *by: str) -> Iterable[dict[str, Any]]:
        """Sum the columns by window and whatever else is named."""
        rows: Iterable[dict[str, Any]] = (
            buckets.annotate(slot=F("start_ms") - (F("start_ms") + self.offset) % self.step_ms)
            .values("slot", *by)
            .annotate(first_ms=Min("start_ms"), **{f"sum_{column}": Sum(column) for column in columns})
            .order_by()
        )
        return rows

    def empty(self) -> list[int | None]:
        """Values of windows in which nothing was metered."""
        return [None] * len(self.windows)

    def add(self, values: list[int | None], row: dict[str, Any], measure: str) -> None:
        """Add a row to its window. A month has a row for each day, and two for the day on which clocks change."""
        quantity, place = _sum(row, measure), bisect_right(self.starts, row["first_ms"]) - 1
        values[place] = (values[place] or 0) + quantity


def _buckets(machine_ids: Any, period: Period) -> QuerySet[UsageBucket]:
    return UsageBucket.objects.filter(machine_id__in=list(machine_ids), start_ms__gte=period.start_ms, start_ms__lt=period.end_ms)


def _sum(row: dict[str, Any], measure: str) -> int:
    return sum(int(row[f"sum_{column}"]) for column in COLUMNS[measure])


def _offsets(period: Period, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Yield (until, offset) in ms for each stretch of the range with one offset to UTC, in order."""
    at = period.start
    while at < period.end:
        change = _next_change(at, period.end, zone)
        yield to_ms(change), _offset_ms(at, zone)
        at = change


def _next_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after start at which the offset differs, or the end. Offsets change months apart and on the minute."""
    offset = _offset_ms(start, zone)
    low = start
    while low < end and _offset_ms(high := min(low + timedelta(days=7), end), zone) == offset:
        low = high
    if low >= end:
        return end
    low_ms, high_ms = to_ms(low) // 60_000, -(-to_ms(high) // 60_000)
    while high_ms - low_ms > 1:
        middle = (low_ms + high_ms) // 2
        low_ms, high_ms = (middle, high_ms) if _offset_ms(from_ms(middle * 60_000), zone) == offset else (low_ms, middle)
    return from_ms(high_ms * 60_000)


def _offset_ms(at: datetime, zone: ZoneInfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    return (offset or timedelta()) // timedelta(milliseconds=1)
