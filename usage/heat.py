"""A month by hour as a heat map: local days down, hours of the day across. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from usage.periods import Period

HOURS = 24
OPACITIES = ("0.05", "0.13", "0.25", "0.38", "0.5", "0.63", "0.75", "0.88", "1")  # As many shades as an eye tells apart.
CELL, GAP = 20, 2


@dataclass(frozen=True, slots=True)
class Cell:
    """One local hour: its place in the picture, what was used in it (None: not metered), and how opaque that is drawn."""

    x: int
    y: int
    value: int | None
    opacity: str


@dataclass(frozen=True, slots=True)
class HeatDay:
    """One local day, named by its first instant, with its 24 hours; None for an hour outside of the range or on no clock."""

    start: datetime
    y: int
    cells: Sequence[Cell | None]


@dataclass(frozen=True, slots=True)
class Heat:
    """The days of a range, and its busiest hour."""

    days: Sequence[HeatDay]
    busiest: Period | None
    most: int

    @property
    def height(self) -> int:
        """Of the picture, without its margins."""
        return len(self.days) * (CELL + GAP) - GAP

    @property
    def width(self) -> int:
        """Of the picture, without its margins."""
        return HOURS * (CELL + GAP) - GAP

    @property
    def hours(self) -> list[tuple[int, int]]:
        """Every third hour of the day and where it stands."""
        return [(hour, hour * (CELL + GAP)) for hour in range(0, HOURS, 3)]


def heat_map(windows: Sequence[Period], values: Sequence[int | None], zone: ZoneInfo) -> Heat:
    """Lay hourly values out by local day and hour. The hour that comes twice when clocks go back holds the sum of both."""
    sums: dict[datetime, dict[int, int | None]] = {}
    starts: dict[datetime, datetime] = {}
    for window, value in zip(windows, values, strict=True):
        local = window.start.astimezone(zone)
        day = datetime(local.year, local.month, local.day)  # noqa: DTZ001  A name for a local day, not an instant.
        starts.setdefault(day, window.start)
        hours = sums.setdefault(day, {})
        known = hours.get(local.hour)
        hours[local.hour] = known if value is None else value + (known or 0)
    most = max((value for hours in sums.values() for value in hours.values() if value), default=0)
    days = [_day(starts[day], row, sums[day], most) for row, day in enumerate(sums)]
    return Heat(days, _busiest(windows, values), most)


def _day(start: datetime, row: int, hours: dict[int, int | None], most: int) -> HeatDay:
    y = row * (CELL + GAP)
    cells = [
        Cell(hour * (CELL + GAP), y, hours[hour], _opacity(hours[hour], most)) if hour in hours else None for hour in range(HOURS)
    ]
    return HeatDay(start, y, cells)


def _opacity(value: int | None, most: int) -> str:
    """The shade of a value: the faintest for nothing, and never that for something."""
    return OPACITIES[-(-(len(OPACITIES) - 1) * value // most) if value and most else 0]


def _busiest(windows: Sequence[Period], values: Sequence[int | None]) -> Period | None:
    known = [(value, -index) for index, value in enumerate(values) if value]
    return windows[-max(known)[1]] if known else None
