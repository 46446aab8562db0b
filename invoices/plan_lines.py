"""Windows of the week and series of prices as people write them, one a line: what the price editor shows and reads. Pure.

`Mo-Fr 08:00-20:00 0.055 working hours` is a window, `2026-10-01 00:00 0.0171` a price from that instant (UTC) on. A series may
be pasted from a spreadsheet: commas, semicolons and tabs part it as well, and a first line of words is passed over.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from invoices.plan_fields import PlanFileError

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
_WINDOW = re.compile(
    r"(?P<days>\D+?)\s+(?P<start>\d\d:\d\d)\s*(?:-|–|to)\s*(?P<end>\d\d:\d\d)\s+(?P<price>[\d.]+)(?:\s+(?P<name>.+))?"
)
_POINT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<clock>\d\d:\d\d(?::\d\d)?))?\s*(?P<zone>Z|[+-]\d\d:?\d\d)?"
    r"[\s,;]+(?P<price>[\d.]+)[\s,;]*"
)


def read_windows(text: str) -> list[dict[str, Any]]:
    """Return the windows of a plan document. Raise PlanFileError naming the line."""
    rows = []
    for number, line in _lines(text):
        match = _WINDOW.fullmatch(line)
        if match is None:
            raise PlanFileError(f"line {number}", f"{line[:40]!r} is no window such as Mo-Fr 08:00-20:00 0.055 working hours.")
        row = {"days": _days(match["days"], number), "from": match["start"], "to": match["end"], "unit_price": match["price"]}
        rows.append(row | ({"name": match["name"]} if match["name"] else {}))
    return rows


def write_windows(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return windows as lines."""
    return "\n".join(
        " ".join(
            filter(
                None,
                [
                    _day_words(row.get("days") or EVERY_DAY),
                    f"{row.get('from', '00:00')}-{row.get('to', '24:00')}",
                    str(row["unit_price"]),
                    row.get("name", ""),
                ],
            )
        )
        for row in rows
    )


def read_series(text: str) -> list[list[str]]:
    """Return the series of a plan document. Raise PlanFileError naming the line."""
    points = []
    for number, line in _lines(text):
        match = _POINT.fullmatch(line)
        if match is None:
            if number == 1 and not any(map(str.isdigit, line)):
                continue  # The heads of columns.
            raise PlanFileError(f"line {number}", f"{line[:40]!r} is no price such as 2026-10-01 00:00 0.0171.")
        points.append([f"{match['day']}T{match['clock'] or '00:00'}{match['zone'] or 'Z'}", match["price"]])
    return points


def write_series(points: Iterable[Sequence[str]]) -> str:
    """Return a series as lines."""
    return "\n".join(f"{_instant(at)} {price}" for at, price in points)


def _instant(at: str) -> str:
    """UTC is what is meant where nothing is said, and whole minutes need no seconds."""
    if not at.endswith("Z"):
        return at
    day, _, clock = at.removesuffix("Z").partition("T")
    return f"{day} {clock.removesuffix(':00') if clock.count(':') == 2 else clock}"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def _days(words: str, line: int) -> list[int]:
    """ISO weekdays of `Mo-Fr`, `Sa Su`, `Mo, We-Fr` or `every day`."""
    if words.strip().casefold() in ("every day", "daily"):
        return EVERY_DAY
    found: set[int] = set()
    for word in re.split(r"[,\s]+", words.strip()):
        first, _, last = word.partition("-")
        low, high = _day(first, line), _day(last or first, line)
        found |= set(range(low, high + 1)) if low <= high else {*range(low, 8), *range(1, high + 1)}
    return sorted(found)


def _day(word: str, line: int) -> int:
    try:
        return [day.casefold() for day in DAYS].index(word[:2].casefold()) + 1
    except ValueError:
        raise PlanFileError(f"line {line}", f"{word[:20]!r} is no day: {' '.join(DAYS)}.") from None


def _day_words(days: Sequence[int]) -> str:
    """Days as short as they can be said: three and more in a row as a span."""
    if sorted(days) == EVERY_DAY:
        return "every day"
    words = []
    for _, run in groupby(enumerate(sorted(days)), key=lambda pair: pair[1] - pair[0]):
        row = [day for _, day in run]
        words += [f"{DAYS[row[0] - 1]}-{DAYS[row[-1] - 1]}"] if len(row) > 2 else [DAYS[day - 1] for day in row]
    return " ".join(words)
