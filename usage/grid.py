"""How the database finds the local hour or day of a quarter hour without a list of them: one remainder and a few offsets."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Case, F, Min, QuerySet, Sum, Value, When

from usage.meters import COLUMNS
from usage.periods import Period, from_ms, to_ms
from usage.windows import windows

STEP_MS = {"hour": 3_600_000, "day": 86_400_000, "month": 86_400_000}  # The database adds up days; months are made of them.


class Grid:
    """The windows of a range, and where rows of quarter hours or of local days belong.

    Local hours and days are whole numbers of steps once the zone's offset is added, so one remainder finds their start;
    the few changes of the offset in the range are all that the query must know of the calendar.
    """

    def __init__(self, period: Period, step: str, zone: ZoneInfo) -> None:
        self.period, self.zone = period, zone
        self.windows = windows(period, step, zone)
        self.starts = [window.start_ms for window in self.windows]
        self.step_ms = STEP_MS[step]
        changes = list(_offsets(period, zone))
        self.offset = Case(
            *(When(start_ms__lt=until_ms, then=Value(offset_ms)) for until_ms, offset_ms in changes[:-1]),
            default=Value(changes[-1][1]),
            output_field=BigIntegerField(),
        )

    def sums(self, rows: QuerySet[Any], columns: Sequence[str], *by: str) -> Iterable[dict[str, Any]]:
        """Sum the columns by window and whatever else is named, with the first start in it. One query."""
        found: Iterable[dict[str, Any]] = (
            rows.annotate(slot=F("start_ms") - (F("start_ms") + self.offset) % self.step_ms)
            .values("slot", *by)
            .annotate(least_ms=Min("start_ms"), **{f"sum_{column}": Sum(column) for column in columns})
            .order_by()
        )
        return found

    def empty(self) -> list[int | None]:
        """Values of windows in which nothing was metered."""
        return [None] * len(self.windows)

    def place(self, row: dict[str, Any]) -> int:
        """The number of a row's window. A month has a row for each day, and two for the day on which clocks change."""
        return bisect_right(self.starts, row["least_ms"]) - 1

    def add(self, values: list[int | None], row: dict[str, Any], measure: str) -> None:
        """Add a row to its window."""
        place = self.place(row)
        values[place] = (values[place] or 0) + measured(row, measure)


def measured(row: dict[str, Any], measure: str) -> int:
    """What a row of sums holds of a meter, in base units."""
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
