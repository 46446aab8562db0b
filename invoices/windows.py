"""Cuts a span of time where a price changes: windows of the local week, a series of prices, an hour of demand. Pure.

A timeline is a list of (start, end, label) in epoch milliseconds that tiles its span, half-open and in order.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from invoices.terms import Window
from usage.periods import Period, from_ms

Label = TypeVar("Label")
Timeline = list[tuple[int, int, Label]]
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


@lru_cache(maxsize=64)
def clock_changes(span: Period, zone: ZoneInfo) -> tuple[tuple[int, int, int], ...]:
    """Return offsets(), once for all prices of a period."""
    return tuple(offsets(span, zone))


def week_timeline(windows: Sequence[Window], span: Period, zone: ZoneInfo) -> "Timeline[int | None]":
    """Return which window, by its number, holds when; None is outside all of them.

    Between two changes of the clocks local time is UTC and an offset, so an hour that occurs twice is in a window twice.
    """
    inside = sorted(
        piece for start, end, offset in clock_changes(span, zone) for piece in _windows_between(windows, start, end, offset)
    )
    return list(_filled(inside, span))


def series_timeline(points: Sequence[tuple[int, Fraction]], span: Period) -> "Timeline[Fraction | None]":
    """Return which number of a series is in force when: from its instant until the next; None before the first."""
    edges = [span.start_ms, *(at for at, _ in points if span.start_ms < at < span.end_ms), span.end_ms]
    before = [number for at, number in points if at <= span.start_ms]
    inside = [number for at, number in points if span.start_ms < at < span.end_ms]
    numbers = [before[-1] if before else None, *inside]
    return [(start, end, number) for start, end, number in zip(edges, edges[1:], numbers, strict=False) if start < end]


def offsets(span: Period, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, offset from UTC), all in milliseconds, for each stretch in which no clock is changed."""
    start = low = span.start_ms
    while low < span.end_ms:
        high = min(low + HOUR_MS, span.end_ms)
        if _offset(high, zone) != _offset(start, zone):
            change = _change(low, high, zone)
            yield start, change, _offset(start, zone)
            start = change
        low = high
    if start < span.end_ms:
        yield start, span.end_ms, _offset(start, zone)


def _offset(ms: int, zone: ZoneInfo) -> int:
    return (from_ms(ms).astimezone(zone).utcoffset() or timedelta()) // timedelta(milliseconds=1)


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """The millisecond in (low, high] at which the offset becomes another."""
    before = _offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high


def _windows_between(windows: Sequence[Window], start: int, end: int, offset: int) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, window) in a stretch of one offset, from the day before it, whose evening may reach into it."""
    for day in range((start + offset) // DAY_MS - 1, (end + offset) // DAY_MS + 1):
        weekday = (day + 3) % 7 + 1  # The epoch was a Thursday.
        for number, window in enumerate(windows):
            if weekday in window.days:
                opens = day * DAY_MS + window.from_ms - offset
                closes = opens + ((window.to_ms - window.from_ms) % DAY_MS or DAY_MS)
                if max(opens, start) < min(closes, end):
                    yield max(opens, start), min(closes, end), number


def _filled(inside: Sequence[tuple[int, int, int]], span: Period) -> "Iterator[tuple[int, int, int | None]]":
    """Add what lies between the windows."""
    reached = span.start_ms
    for start, end, number in inside:
        if reached < start:
            yield reached, start, None
        yield start, end, number
        reached = end
    if reached < span.end_ms:
        yield reached, span.end_ms, None
