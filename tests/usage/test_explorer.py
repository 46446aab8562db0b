"""Sums of buckets by local hour and day: clocks that change, zones off the hour, and machines beyond the first seven."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.cast import a_bucket, a_customer, a_machine
from usage.explorer import Series, by_class, by_machine, by_meter, source_of, totals_by_machine
from usage.grid import Grid
from usage.models import Machine
from usage.periods import BUCKET_MS, Period, to_ms

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
KOLKATA = ZoneInfo("Asia/Kolkata")
ONE_BUCKET = BUCKET_MS  # a core for a quarter hour, in core-ms


def fill(machine: Machine, period: Period) -> None:
    for start in range(period.start_ms, period.end_ms, BUCKET_MS):
        a_bucket(machine, start)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]  # Year, month, day and so on.


def split(how: Callable[..., list[Series]], machines: list[Machine], period: Period, step: str, zone: ZoneInfo) -> list[Series]:
    source = source_of(machines, Grid(period, step, zone))
    return how(totals_by_machine(machines, source, "cpu"), Grid(period, step, zone), source, "cpu")


def test_days_on_which_clocks_change_have_23_and_25_hours() -> None:
    web = a_machine(a_customer())
    autumn = Period(utc(2026, 10, 23, 22), utc(2026, 10, 26, 23))  # 24 to 26 October in Berlin
    spring = Period(utc(2026, 3, 27, 23), utc(2026, 3, 30, 22))  # 28 to 30 March
    fill(web, autumn)
    fill(web, spring)

    in_autumn, in_spring = (split(by_machine, [web], period, "day", BERLIN)[0].values for period in (autumn, spring))

    assert in_autumn == [96 * ONE_BUCKET, 100 * ONE_BUCKET, 96 * ONE_BUCKET]
    assert in_spring == [96 * ONE_BUCKET, 92 * ONE_BUCKET, 96 * ONE_BUCKET]


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    web = a_machine(a_customer())
    night = Period(utc(2026, 10, 24, 23), utc(2026, 10, 25, 3))  # 01:00 CEST to 04:00 CET
    a_bucket(web, to_ms(utc(2026, 10, 25, 0, 15)), cpu_ms=7)  # 02:15 CEST
    a_bucket(web, to_ms(utc(2026, 10, 25, 1, 15)), cpu_ms=11)  # 02:15 CET

    hours = split(by_machine, [web], night, "hour", BERLIN)[0].values

    assert hours == [None, 7, 11, None]  # nothing metered is a hole, not nothing used


def test_hours_of_a_zone_off_the_hour_are_its_own() -> None:
    web = a_machine(a_customer())
    morning = Period(utc(2026, 11, 1, 2, 30), utc(2026, 11, 1, 4, 30))  # 08:00 to 10:00 in Kolkata
    a_bucket(web, to_ms(utc(2026, 11, 1, 3, 15)), cpu_ms=7)  # 08:45
    a_bucket(web, to_ms(utc(2026, 11, 1, 3, 30)), cpu_ms=11)  # 09:00

    hours = split(by_machine, [web], morning, "hour", KOLKATA)[0].values

    assert hours == [7, 11]


def test_the_largest_seven_have_their_own_colour_and_the_rest_share_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    acme = a_customer()
    hour = Period(utc(2026, 11, 1, 8), utc(2026, 11, 1, 9))
    fleet = [a_machine(acme, f"m-{number}") for number in range(1, 11)]
    for number, machine in enumerate(fleet, 1):
        a_bucket(machine, hour.start_ms, cpu_ms=number)

    with django_assert_num_queries(2):
        source = source_of(fleet, Grid(hour, "hour", BERLIN))
        totals = totals_by_machine(fleet, source, "cpu")
        series = by_machine(totals, Grid(hour, "hour", BERLIN), source, "cpu")

    assert [one.name for one in series] == ["m-10", "m-9", "m-8", "m-7", "m-6", "m-5", "m-4", "3 others"]
    assert [one.values for one in series] == [[10], [9], [8], [7], [6], [5], [4], [6]]
    assert sum(total.quantity for total in totals) == 55


def test_eight_machines_need_no_rest() -> None:
    acme = a_customer()
    hour = Period(utc(2026, 11, 1, 8), utc(2026, 11, 1, 9))
    fleet = [a_machine(acme, f"m-{number}") for number in range(1, 9)]
    for machine in fleet:
        a_bucket(machine, hour.start_ms)

    series = split(by_machine, fleet, hour, "hour", BERLIN)

    assert [one.is_rest for one in series] == [False] * 8


def test_by_meter_shows_what_counted_anything_and_only_inside_the_range(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    acme = a_customer()
    web, db = a_machine(acme, "web-1"), a_machine(acme, "db-1")
    hour = Period(utc(2026, 11, 1, 8), utc(2026, 11, 1, 9))
    a_bucket(web, hour.start_ms, cpu_ms=5, net_tx=100)
    a_bucket(db, hour.end_ms - BUCKET_MS, cpu_ms=6, net_tx=0)
    a_bucket(db, hour.end_ms, cpu_ms=1_000)

    with django_assert_num_queries(1):
        grid = Grid(hour, "hour", BERLIN)
        series = by_meter(grid, source_of([web, db], grid))

    assert {one.meter: one.values for one in series} == {"cpu": [11], "network_out": [100]}


def test_classes_add_their_machines_up_and_the_largest_comes_first() -> None:
    acme = a_customer()
    hour = Period(utc(2026, 11, 1, 8), utc(2026, 11, 1, 9))
    fleet = [a_machine(acme, f"m-{number}", machine_class=name) for number, name in enumerate(("small", "large", "small", ""))]
    for machine, used in zip(fleet, (1, 2, 4, 3), strict=True):
        a_bucket(machine, hour.start_ms, cpu_ms=used)

    series = split(by_class, fleet, hour, "hour", BERLIN)

    assert [(one.name, one.values) for one in series] == [("small", [5]), ("No class", [3]), ("large", [2])]


def test_months_are_local_and_made_of_their_days() -> None:
    web = a_machine(a_customer())
    autumn = Period(utc(2026, 9, 30, 22), utc(2026, 11, 30, 23))
    a_bucket(web, to_ms(utc(2026, 10, 31, 22, 45)), cpu_ms=5)  # 23:45 on the last of October
    a_bucket(web, to_ms(utc(2026, 10, 25, 1)), cpu_ms=7)  # in the hour that comes twice
    a_bucket(web, to_ms(utc(2026, 10, 31, 23)), cpu_ms=11)  # the first of November

    months = split(by_machine, [web], autumn, "month", BERLIN)[0].values

    assert months == [12, 11]
