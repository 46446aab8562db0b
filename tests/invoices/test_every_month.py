"""All zones, all months from 2000 to 2040: no instant is billed twice or never, also where midnight does not exist."""

from datetime import date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

import pytest

from invoices.terms import Window
from invoices.windows import week_timeline
from usage.periods import BUCKET_MS, Period, day_start, days_of, month, month_of

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
# Names of one and the same zone are looked at once.
BY_RULES = {files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes(): name for name in ZONES}
MONTHS = [(year, number) for year in range(2000, 2041) for number in range(1, 13)]
MOMENT = timedelta(microseconds=1)


def test_the_months_of_every_zone_tile_time() -> None:
    """Each begins where the last one ended, on a quarter hour, at the first instant of its first day."""
    assert len(ZONES) > 400
    for name in BY_RULES.values():
        zone = ZoneInfo(name)
        edges = [month(year, number, zone) for year, number in MONTHS]
        assert all(before.end == after.start for before, after in zip(edges, edges[1:], strict=False)), name
        assert all(period.start < period.end and not period.start_ms % BUCKET_MS for period in edges), name
        firsts = [(period.start.astimezone(zone), (period.start - MOMENT).astimezone(zone)) for period in edges]
        wrong = [first for first, last in firsts if first.day != 1 or (last.year, last.month) == (first.year, first.month)]
        assert wrong == [], name


@pytest.mark.parametrize(
    ("name", "day", "first"),
    [
        ("America/Santiago", date(2024, 9, 8), "2024-09-08T01:00:00-03:00"),
        ("Africa/Cairo", date(2023, 4, 28), "2023-04-28T01:00:00+03:00"),
        ("America/Havana", date(2024, 3, 10), "2024-03-10T01:00:00-04:00"),
        ("Asia/Beirut", date(2024, 3, 31), "2024-03-31T01:00:00+03:00"),
        ("Europe/Berlin", date(2024, 3, 31), "2024-03-31T00:00:00+01:00"),
    ],
)
def test_a_day_without_a_midnight_begins_at_its_first_instant(name: str, day: date, first: str) -> None:
    zone = ZoneInfo(name)
    period = month(day.year, day.month, zone)

    start = day_start(day, zone)

    assert start == datetime.fromisoformat(first)
    assert (start - MOMENT).astimezone(zone).date() == day - timedelta(days=1)
    days = list(days_of(period, zone))
    assert (days[0].start, days[-1].end) == (period.start, period.end)
    assert all(before.end == after.start for before, after in zip(days, days[1:], strict=False))
    assert month_of(start, zone) == month_of(period.end - MOMENT, zone) == period


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/Santiago", "Africa/Cairo", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize("year", [2000, 2024, 2026])
def test_windows_tile_every_month_and_hold_what_the_clock_says(name: str, year: int) -> None:
    """Each quarter hour is in one piece, and that piece is the window that its local wall clock names."""
    zone = ZoneInfo(name)
    day = Window("day", frozenset({1, 2, 3, 4, 5}), 8 * 3_600_000, 20 * 3_600_000, 1)  # type: ignore[arg-type]  # no price is asked
    late = Window("late", frozenset({6, 7}), 0, 7 * 3_600_000, 1)  # type: ignore[arg-type]
    for number in range(1, 13):
        period = month(year, number, zone)

        pieces = week_timeline([day, late], period, zone)

        assert (pieces[0][0], pieces[-1][1]) == (period.start_ms, period.end_ms)
        assert all(before[1] == after[0] for before, after in zip(pieces, pieces[1:], strict=False))
        for start, end, window in pieces:
            for ms in (start, end - 1):
                assert window == _by_the_clock(ms, zone), (ms, window)


def _by_the_clock(ms: int, zone: ZoneInfo) -> int | None:
    local = (datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(milliseconds=ms)).astimezone(zone)
    if local.isoweekday() <= 5:
        return 0 if 8 <= local.hour < 20 else None
    return 1 if local.hour < 7 else None


def test_a_span_of_an_hour_has_a_timeline_of_an_hour() -> None:
    start = datetime.fromisoformat("2026-10-25T00:30:00+00:00")

    assert week_timeline([], Period(start, start + timedelta(hours=1)), ZoneInfo("Europe/Berlin")) == [
        (Period(start, start).start_ms, Period(start, start).start_ms + 3_600_000, None)
    ]
