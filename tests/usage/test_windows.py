"""Windows on the customer's clock, exact across every change of it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from usage.periods import Period
from usage.windows import windows


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def hours_of(start: str, end: str, granularity: str, zone: str) -> list[float]:
    """The length of each window in hours."""
    found = windows(Period(at(start), at(end)), granularity, ZoneInfo(zone))
    return [(window.end - window.start).total_seconds() / 3600 for window in found]


def test_days_have_23_and_25_hours_when_clocks_change() -> None:
    assert hours_of("2026-03-28T23:00Z", "2026-03-30T22:00Z", "day", "Europe/Berlin") == [23, 24]
    assert hours_of("2026-10-24T22:00Z", "2026-10-26T23:00Z", "day", "Europe/Berlin") == [25, 24]


def test_hours_begin_on_the_local_clock() -> None:
    assert hours_of("2026-11-24T00:00Z", "2026-11-24T02:00Z", "hour", "Asia/Kathmandu") == [0.25, 1, 0.75]
    assert hours_of("2026-10-25T00:00Z", "2026-10-25T03:00Z", "hour", "Europe/Berlin") == [1, 1, 1]


def test_a_zone_that_changes_by_half_an_hour_has_a_half_hour() -> None:
    assert hours_of("2026-04-04T14:00Z", "2026-04-04T16:30Z", "hour", "Australia/Lord_Howe") == [1, 0.5, 1]


def test_months_are_cut_to_the_span() -> None:
    found = windows(Period(at("2026-10-15T00:00Z"), at("2026-12-01T12:00Z")), "month", ZoneInfo("Europe/Berlin"))

    edges = [(f"{window.start:%m-%dT%H:%M}", f"{window.end:%m-%dT%H:%M}") for window in found]
    assert edges == [("10-15T00:00", "10-31T23:00"), ("10-31T23:00", "11-30T23:00"), ("11-30T23:00", "12-01T12:00")]


def test_a_day_that_does_not_exist_is_no_window() -> None:
    assert hours_of("2011-12-29T10:00Z", "2011-12-31T10:00Z", "day", "Pacific/Apia") == [24, 24]


@pytest.mark.parametrize("granularity", ["quarter", "hour", "day", "month"])
@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
)
def test_windows_follow_each_other_and_fill_the_span(granularity: str, zone: str) -> None:
    span = Period(at("2026-03-01T00:15Z"), at("2026-04-20T07:30Z"))

    found = windows(span, granularity, ZoneInfo(zone))

    assert (found[0].start, found[-1].end) == (span.start, span.end)
    assert all(one.end == following.start for one, following in zip(found, found[1:], strict=False))
    assert all(window.start < window.end for window in found)


def test_an_unknown_granularity_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="week"):
        windows(Period(at("2026-03-01T00:00Z"), at("2026-03-02T00:00Z")), "week", ZoneInfo("UTC"))
