"""A month by hour: where each hour stands, and what the days on which clocks change look like."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from usage.heat import heat_map
from usage.periods import Period
from usage.windows import windows

BERLIN = ZoneInfo("Europe/Berlin")


def local_day(year: int, month: int, day: int) -> Period:
    start = datetime(year, month, day, tzinfo=BERLIN)
    return Period(start.astimezone(UTC), start.replace(day=day + 1).astimezone(UTC))


def test_hours_stand_in_the_row_of_their_day_and_the_busiest_is_opaque() -> None:
    slots = windows(local_day(2026, 11, 2), "hour", BERLIN)
    values: list[int | None] = [0, None, 8, 64, *[1] * 20]

    heat = heat_map(slots, values, BERLIN)

    [day] = heat.days
    cells = [cell for cell in day.cells if cell]
    assert [(cell.x, cell.y, cell.value, cell.opacity) for cell in cells[:4]] == [
        (0, 0, 0, "0.05"),
        (22, 0, None, "0.05"),
        (44, 0, 8, "0.13"),
        (66, 0, 64, "1"),
    ]
    assert cells[4].opacity == "0.13"  # little is not nothing
    assert heat.busiest == slots[3]


def test_an_hour_that_comes_twice_holds_both_and_one_that_is_skipped_is_empty() -> None:
    autumn = windows(local_day(2026, 10, 25), "hour", BERLIN)
    spring = windows(local_day(2026, 3, 29), "hour", BERLIN)

    back = heat_map(autumn, [1] * 25, BERLIN).days[0].cells
    forth = heat_map(spring, [1] * 23, BERLIN).days[0].cells

    assert [cell.value for cell in back if cell] == [1, 1, 2, *[1] * 21]
    assert [hour for hour, cell in enumerate(forth) if cell is None] == [2]


def test_nothing_used_has_no_busiest_hour() -> None:
    slots = windows(local_day(2026, 11, 2), "hour", BERLIN)

    assert heat_map(slots, [None] * 24, BERLIN).busiest is None
    assert heat_map([], [], BERLIN).days == []
