"""What the explorer's address means. The clock stands at Tuesday 24 November 2026, 14:32 in Berlin."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from usage.periods import Period
from usage.ranges import previous, selection

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 13, 32, 8, tzinfo=UTC)
NEXT_QUARTER = datetime(2026, 11, 24, 13, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ({}, datetime(2026, 10, 31, 23, tzinfo=UTC), NEXT_QUARTER),
        ({"range": "this-month"}, datetime(2026, 10, 31, 23, tzinfo=UTC), NEXT_QUARTER),
        ({"range": "last-month"}, datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)),
        ({"range": "last-24-hours"}, datetime(2026, 11, 23, 14, tzinfo=UTC), NEXT_QUARTER),
        ({"range": "last-7-days"}, datetime(2026, 11, 17, 23, tzinfo=UTC), NEXT_QUARTER),
        ({"range": "last-30-days"}, datetime(2026, 10, 25, 23, tzinfo=UTC), NEXT_QUARTER),
        ({"range": "last-90-days"}, datetime(2026, 8, 26, 22, tzinfo=UTC), NEXT_QUARTER),
        ({"range": "last-12-months"}, datetime(2025, 11, 30, 23, tzinfo=UTC), NEXT_QUARTER),
        (
            {"range": "custom", "first": "2026-10-25", "last": "2026-10-25"},
            datetime(2026, 10, 24, 22, tzinfo=UTC),
            datetime(2026, 10, 25, 23, tzinfo=UTC),
        ),
        ({"range": "custom", "first": "2026-11-24", "last": "2027-03-01"}, datetime(2026, 11, 23, 23, tzinfo=UTC), NEXT_QUARTER),
    ],
)
def test_a_range_is_local_days_up_to_now(query: dict[str, str], start: datetime, end: datetime) -> None:
    selected = selection(query, BERLIN, NOW)

    assert selected.period == Period(start, end)
    assert selected.problem == ""


@pytest.mark.parametrize(
    "query",
    [
        {"range": "custom"},
        {"range": "custom", "first": "2026-13-01", "last": "2026-11-02"},
        {"range": "custom", "first": "2026-11-03", "last": "2026-11-02"},
        {"range": "custom", "first": "2026-12-24", "last": "2026-12-25"},
        {"range": "custom", "first": "0001-01-01", "last": "2026-11-02"},
    ],
)
def test_days_that_cannot_be_shown_are_said_so_and_the_month_is(query: dict[str, str]) -> None:
    selected = selection(query, BERLIN, NOW)

    assert selected.problem != ""
    assert selected.period == Period(datetime(2026, 10, 31, 23, tzinfo=UTC), NEXT_QUARTER)


def test_a_range_of_years_is_cut_to_one() -> None:
    selected = selection({"range": "custom", "first": "2020-01-01", "last": "2026-01-01"}, BERLIN, NOW)

    assert "366 days" in selected.problem
    assert selected.period == Period(datetime(2019, 12, 31, 23, tzinfo=UTC), datetime(2020, 12, 31, 23, tzinfo=UTC))


def test_hours_are_shown_for_a_month_and_days_for_more() -> None:
    month = selection({"range": "last-month", "step": "hour"}, BERLIN, NOW)
    quarter = selection({"range": "custom", "first": "2026-08-01", "last": "2026-10-31", "step": "hour"}, BERLIN, NOW)

    assert (month.step, month.problem) == ("hour", "")
    assert quarter.step == "day"
    assert "32 days" in quarter.problem


def test_what_nobody_knows_falls_back() -> None:
    selected = selection({"range": "x", "step": "x", "group": "x", "measure": "power"}, BERLIN, NOW)

    assert (selected.range, selected.step, selected.group, selected.measure) == ("this-month", "day", "machine", "cpu")


@pytest.mark.parametrize(
    ("query", "step"),
    [({"range": "last-7-days"}, "hour"), ({"range": "last-90-days"}, "day"), ({"range": "last-12-months"}, "month")],
)
def test_a_range_has_a_step_of_its_own(query: dict[str, str], step: str) -> None:
    assert selection(query, BERLIN, NOW).step == step


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        # As far into October as November has come, by the clock on the wall: clocks went back on the 25th of October.
        ({"range": "this-month"}, datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 24, 12, 45, tzinfo=UTC)),
        ({"range": "last-month"}, datetime(2026, 8, 31, 22, tzinfo=UTC), datetime(2026, 9, 30, 22, tzinfo=UTC)),
        ({"range": "last-7-days"}, datetime(2026, 11, 10, 23, tzinfo=UTC), datetime(2026, 11, 17, 13, 45, tzinfo=UTC)),
        ({"range": "last-24-hours"}, datetime(2026, 11, 22, 14, tzinfo=UTC), datetime(2026, 11, 23, 13, 45, tzinfo=UTC)),
        ({"range": "last-12-months"}, datetime(2024, 11, 30, 23, tzinfo=UTC), datetime(2025, 11, 24, 13, 45, tzinfo=UTC)),
        (
            {"range": "custom", "first": "2026-11-02", "last": "2026-11-03"},
            datetime(2026, 10, 30, 23, tzinfo=UTC),
            datetime(2026, 11, 1, 23, tzinfo=UTC),
        ),
    ],
)
def test_the_period_before_is_as_long_on_the_wall(query: dict[str, str], start: datetime, end: datetime) -> None:
    assert previous(selection(query, BERLIN, NOW), BERLIN) == Period(start, end)


def test_the_month_before_a_longer_one_ends_where_that_begins() -> None:
    last_instant = datetime(2026, 3, 31, 21, 50, tzinfo=UTC)

    before = previous(selection({}, BERLIN, last_instant), BERLIN)

    assert before == Period(datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC))


def test_a_heat_map_is_of_hours_and_of_a_month_at_most() -> None:
    month = selection({"range": "last-month", "picture": "heat", "step": "day", "compare": "previous"}, BERLIN, NOW)
    year = selection({"range": "last-12-months", "picture": "heat"}, BERLIN, NOW)

    assert (month.picture, month.step, month.compare, month.problem) == ("heat", "hour", False, "")
    assert (year.picture, year.step) == ("stack", "day")
    assert "32 days" in year.problem
