"""Days and months in every zone: no instant is left out and none counts twice, whatever clocks do at midnight."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage.periods import BUCKET_MS, Period, bucket_start, day_start, days_of, from_ms, month, month_of, to_ms

ZONES = sorted(zoneinfo.available_timezones())
YEARS = range(2000, 2041)
MIDNIGHT_SKIPPERS = ("America/Santiago", "Africa/Cairo", "America/Havana", "Asia/Beirut", "Pacific/Apia", "America/Sao_Paulo")


def months_of(years: range, zone: ZoneInfo) -> Iterator[Period]:
    return (month(year, number, zone) for year in years for number in range(1, 13))


def is_first_of(day: date, instant: datetime, zone: ZoneInfo) -> bool:
    """Whether a local day begins at an instant: it reads that day, and the moment before reads an earlier one."""
    before = (instant - timedelta(seconds=1)).astimezone(zone).date()
    return instant.astimezone(zone).date() == day and before < day


@pytest.mark.parametrize("name", MIDNIGHT_SKIPPERS)
def test_months_begin_at_their_first_instant_where_midnight_may_not_exist(name: str) -> None:
    zone = ZoneInfo(name)

    periods = months_of(YEARS, zone)

    assert all(is_first_of(period.start.astimezone(zone).date(), period.start, zone) for period in periods)


@pytest.mark.parametrize("share", range(8))
def test_all_months_from_2000_to_2040_tile_in_every_zone(share: int) -> None:
    for name in ZONES[share::8]:
        zone = ZoneInfo(name)
        periods = list(months_of(YEARS, zone))
        assert all(earlier.end == later.start for earlier, later in pairwise(periods)), name
        assert all(period.start < period.end for period in periods), name
        assert all(to_ms(period.start) % BUCKET_MS == 0 for period in periods), name
        assert all(period.start.astimezone(zone).day == 1 for period in periods), name


@pytest.mark.parametrize(
    ("name", "day", "start"),
    [
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("America/Santiago", date(2026, 9, 6), datetime(2026, 9, 6, 4, tzinfo=UTC)),  # Midnight is skipped: 01:00 local.
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, tzinfo=UTC)),
        ("America/Havana", date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),  # Midnight comes twice: the first one.
        ("Asia/Beirut", date(2026, 3, 29), datetime(2026, 3, 28, 22, tzinfo=UTC)),
        ("Pacific/Apia", date(2011, 12, 29), datetime(2011, 12, 29, 10, tzinfo=UTC)),
        ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("America/Toronto", date(1919, 3, 31), datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),  # 23:30 became 00:30.
    ],
)
def test_a_day_begins_at_its_first_instant(name: str, day: date, start: datetime) -> None:
    zone = ZoneInfo(name)

    assert day_start(day, zone) == start
    assert is_first_of(day, start, zone)


def test_samoa_had_no_30_december_2011() -> None:
    zone = ZoneInfo("Pacific/Apia")

    days = list(days_of(month(2011, 12, zone), zone))

    assert len(days) == 30
    assert date(2011, 12, 30) not in [day.start.astimezone(zone).date() for day in days]


@pytest.mark.parametrize(
    ("name", "year", "number", "hours"),
    [
        ("Europe/Berlin", 2026, 3, 743),
        ("Europe/Berlin", 2026, 10, 745),
        ("America/New_York", 2026, 11, 721),
        ("Asia/Kolkata", 2026, 3, 744),
        ("Pacific/Apia", 2011, 12, 720),
    ],
)
def test_a_month_has_the_hours_that_its_clocks_gave_it(name: str, year: int, number: int, hours: int) -> None:
    assert month(year, number, ZoneInfo(name)).length_ms == hours * 3_600_000


def test_lord_howe_changes_by_half_an_hour() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")

    assert month(2026, 10, zone).length_ms == 744 * 3_600_000 - 1_800_000


@given(st.integers(946_684_800_000, 2_240_000_000_000), st.sampled_from(ZONES))
@settings(max_examples=200, deadline=None)
def test_an_instant_lies_in_its_own_month_and_in_exactly_one_of_its_days(ms: int, name: str) -> None:
    zone, instant = ZoneInfo(name), from_ms(ms)

    period = month_of(instant, zone)
    days = list(days_of(period, zone))

    assert period.start <= instant < period.end
    assert (days[0].start, days[-1].end) == (period.start, period.end)
    assert all(earlier.end == later.start for earlier, later in pairwise(days))
    assert [day.start <= instant < day.end for day in days].count(True) == 1


def test_days_are_cut_to_a_period_that_begins_at_noon() -> None:
    zone = ZoneInfo("Europe/Berlin")
    period = Period(datetime(2026, 10, 24, 10, tzinfo=UTC), datetime(2026, 10, 26, 10, tzinfo=UTC))

    days = list(days_of(period, zone))

    assert [day.length_ms // 3_600_000 for day in days] == [12, 25, 11]


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - hypothesis asks for bounds without a zone
@settings(max_examples=200, deadline=None)
def test_milliseconds_are_exact_both_ways(naive: datetime) -> None:
    instant = naive.replace(microsecond=naive.microsecond // 1000 * 1000, tzinfo=UTC)

    assert from_ms(to_ms(instant)) == instant
    assert bucket_start(to_ms(instant)) % BUCKET_MS == 0
    assert 0 <= to_ms(instant) - bucket_start(to_ms(instant)) < BUCKET_MS


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="names no instant"):
        to_ms(datetime(2026, 1, 1))  # noqa: DTZ001 - what must be refused
