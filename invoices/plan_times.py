"""What a price says about time: windows of the week, a series of prices, demand, and when it is active. Pure."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from invoices import plan_fields as fields
from invoices.money import exact_text
from invoices.plan_fields import PlanFileError, path
from invoices.terms import Demand, Window
from usage.periods import from_ms, to_ms

MOST_WINDOWS = 50
MOST_PRICES_IN_TIME = 20_000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_DAY_NAMES = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def windows_of(row: Mapping[str, Any], where: str, places: int) -> tuple[Window, ...]:
    """Return the windows of a week. No two may hold the same minute, and what they leave needs a price."""
    at = path(where, "windows")
    rows = fields.rows(row.get("windows"), at, MOST_WINDOWS)
    windows = tuple(_window(fields.table(one, f"{at}[{index}]"), f"{at}[{index}]", places) for index, one in enumerate(rows))
    taken: list[tuple[int, int, int]] = []
    for index, window in enumerate(windows):
        for start, end in _in_week(window):
            other = next((number for low, high, number in taken if start < high and low < end), None)
            if other is not None:
                raise PlanFileError(f"{at}[{index}]", f"overlaps windows[{other}]: one minute has one price.")
            taken.append((start, end, index))
    return windows


def series_of(value: object, where: str, places: int) -> tuple[tuple[int, Fraction], ...]:
    """Return (epoch ms, number) pairs in order of time."""
    points = []
    for index, row in enumerate(fields.rows(value, where, MOST_PRICES_IN_TIME)):
        at = f"{where}[{index}]"
        if not isinstance(row, list | tuple) or len(row) != 2:
            raise PlanFileError(at, 'must be a pair such as ["2026-10-01T00:00:00Z", "0.042"].')
        points.append((to_ms(fields.moment(row[0], f"{at}[0]")), fields.decimal(row[1], f"{at}[1]", places)))
        if index and points[-1][0] <= points[-2][0]:
            raise PlanFileError(f"{at}[0]", "each instant is after the one before.")
    return tuple(points)


def demand_of(value: object, where: str, places: int) -> Demand | None:
    """Return how a price follows the fleet's utilisation."""
    if value is None:
        return None
    row = fields.table(value, where)
    fields.only(row, {"target", "floor", "cap", "loads"}, where)
    target = fields.rate(row.get("target"), path(where, "target"), places)
    floor, cap = fields.number(row, "floor", where, places), fields.number(row, "cap", where, places)
    if not target:
        raise PlanFileError(path(where, "target"), "must be above zero.")
    if cap < floor:
        raise PlanFileError(path(where, "cap"), "is below the floor.")
    loads = series_of(row["loads"], path(where, "loads"), places) if row.get("loads") is not None else ()
    return Demand(target, floor, cap, loads)


def active_of(value: object, where: str) -> tuple[int | None, int | None]:
    """Return [from, to) in epoch ms; an edge that is null or empty is open."""
    if value is None:
        return None, None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise PlanFileError(where, 'must be a pair [from, to) such as ["2026-10-01T00:00:00Z", "2026-10-15T00:00:00Z"].')
    start, end = (
        None if edge in (None, "") else to_ms(fields.moment(edge, f"{where}[{index}]")) for index, edge in enumerate(value)
    )
    if start is not None and end is not None and end <= start:
        raise PlanFileError(f"{where}[1]", "is not after [0].")
    return start, end


def dump_windows(windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Return windows as they were written."""
    return [
        {
            "name": window.name,
            "days": sorted(window.days),
            "from": clock_text(window.from_ms),
            "to": clock_text(window.to_ms),
            "unit_price": exact_text(window.unit_price),
        }
        for window in windows
    ]


def dump_series(series: Sequence[tuple[int, Fraction]]) -> list[list[str]]:
    """Return a series as it was written, in UTC."""
    return [[_instant_text(at_ms), exact_text(number)] for at_ms, number in series]


def dump_demand(demand: Demand | None) -> dict[str, Any]:
    """Return the demand of a price, or nothing."""
    if demand is None:
        return {}
    row: dict[str, Any] = {name: exact_text(getattr(demand, name)) for name in ("target", "floor", "cap")}
    return {"demand": row | ({"loads": dump_series(demand.loads)} if demand.loads else {})}


def dump_active(active: tuple[int | None, int | None]) -> dict[str, Any]:
    """Return [from, to), or nothing where both edges are open."""
    return {} if active == (None, None) else {"active": ["" if edge is None else _instant_text(edge) for edge in active]}


def clock_text(ms: int) -> str:
    """Return milliseconds since midnight as a wall clock."""
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}"


def _window(row: Mapping[str, Any], where: str, places: int) -> Window:
    fields.only(row, {"days", "from", "to", "unit_price", "name"}, where)
    days = row.get("days", [1, 2, 3, 4, 5, 6, 7])
    if not isinstance(days, list) or not days or not all(type(day) is int and 1 <= day <= 7 for day in days):
        raise PlanFileError(path(where, "days"), "must list ISO weekdays, 1 for Monday to 7 for Sunday.")
    start, end = _clock(row.get("from", "00:00"), path(where, "from")), _clock(row.get("to", "24:00"), path(where, "to"))
    if start == DAY_MS or start == end:
        raise PlanFileError(path(where, "to"), "must differ from `from`; a whole day is 00:00 to 24:00.")
    name = fields.text(row, "name", where, 80, f"{_names(days)} {clock_text(start)}-{clock_text(end)}")
    return Window(name, frozenset(days), start, end, fields.number(row, "unit_price", where, places))


def _in_week(window: Window) -> list[tuple[int, int]]:
    """The window as spans of a week that begins on Monday; what passes Sunday's end goes on at Monday's start."""
    length = (window.to_ms - window.from_ms) % DAY_MS or DAY_MS
    spans = []
    for day in sorted(window.days):
        start = (day - 1) * DAY_MS + window.from_ms
        spans.append((start, min(start + length, WEEK_MS)))
        if start + length > WEEK_MS:
            spans.append((0, start + length - WEEK_MS))
    return spans


def _clock(value: object, where: str) -> int:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match.group(1) == "24" and match.group(2) != "00"):
        raise PlanFileError(where, f"{str(value)[:20]!r} is no wall clock such as 08:00; the end of a day is 24:00.")
    return int(match.group(1)) * 3_600_000 + int(match.group(2)) * 60_000


def _names(days: Sequence[int]) -> str:
    return "every day" if len(set(days)) == 7 else " ".join(_DAY_NAMES[day - 1] for day in sorted(set(days)))


def _instant_text(ms: int) -> str:
    return from_ms(ms).isoformat().replace("+00:00", "Z")
