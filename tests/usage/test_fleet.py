"""What a machine's row says: whether it reports, and how much of the month was metered."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from tests.cast import a_bucket, a_customer, a_machine
from usage.fleet import State, count_of_states, fleet, state_of
from usage.models import Machine
from usage.periods import BUCKET_MS, Period, from_ms, to_ms

pytestmark = pytest.mark.django_db
NOVEMBER = Period(datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))
NOW_MS = NOVEMBER.start_ms + 100 * BUCKET_MS


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"last_seen_ms": NOW_MS - 60_000}, State.REPORTING),
        ({"last_seen_ms": NOW_MS + 5_000}, State.REPORTING),
        ({"last_seen_ms": NOW_MS - 60_001}, State.LATE),
        ({"last_seen_ms": NOW_MS - 900_000}, State.LATE),
        ({"last_seen_ms": NOW_MS - 900_001}, State.SILENT),
        ({}, State.WAITING),
        ({"last_seen_ms": NOW_MS, "retired_at": from_ms(NOW_MS)}, State.RETIRED),
        ({"last_seen_ms": NOW_MS, "retired_at": from_ms(NOW_MS + 1)}, State.REPORTING),
    ],
)
def test_states(fields: dict[str, Any], state: State) -> None:
    assert state_of(Machine(code="web-1", **fields), NOW_MS) is state


def covered(*, since: int, buckets: int, **fields: Any) -> Fraction | None:
    """The coverage of a machine that was there from quarter hour `since` of the month on and sent so many of them."""
    made = from_ms(NOVEMBER.start_ms + since * BUCKET_MS)
    machine = a_machine(a_customer(), created_at=made, **fields)
    for number in range(since, since + buckets):
        a_bucket(machine, NOVEMBER.start_ms + number * BUCKET_MS)
    return fleet(machine.customer, NOVEMBER, NOW_MS)[0].coverage


def test_a_machine_of_last_year_is_measured_over_the_whole_month_so_far() -> None:
    assert covered(since=0, buckets=75, last_seen_ms=NOW_MS - 25 * BUCKET_MS) == Fraction(3, 4)


def test_a_machine_that_was_there_and_said_nothing_at_first_has_that_hole() -> None:
    machine = a_machine(a_customer(), created_at=from_ms(NOVEMBER.start_ms - 1), last_seen_ms=NOW_MS)
    for number in range(50, 100):
        a_bucket(machine, NOVEMBER.start_ms + number * BUCKET_MS)

    assert fleet(machine.customer, NOVEMBER, NOW_MS)[0].coverage == Fraction(1, 2)


def test_a_machine_that_joined_is_measured_from_its_first_day() -> None:
    assert covered(since=80, buckets=20, last_seen_ms=NOW_MS) == 1


def test_what_a_reporting_machine_has_not_sent_yet_is_not_missing() -> None:
    assert covered(since=0, buckets=99, last_seen_ms=NOW_MS - 30_000) == Fraction(99 * BUCKET_MS, 100 * BUCKET_MS - 30_000)


def test_history_that_is_older_than_the_row_counts_from_where_it_begins() -> None:
    machine = a_machine(a_customer(), created_at=from_ms(NOW_MS), last_seen_ms=NOW_MS)
    a_bucket(machine, NOVEMBER.start_ms)

    assert fleet(machine.customer, NOVEMBER, NOW_MS)[0].coverage == Fraction(1, 100)


def test_readings_without_an_interval_have_no_coverage() -> None:
    machine = a_machine(a_customer(), last_seen_ms=NOW_MS)
    a_bucket(machine, NOVEMBER.start_ms, covered_ms=0, cpu_ms=0, cpu_upct=37_500_000)

    assert fleet(machine.customer, NOVEMBER, NOW_MS)[0].coverage is None


def test_those_that_need_attention_come_first_and_strangers_never(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    acme, bolt = a_customer("acme"), a_customer("bolt")
    a_machine(acme, "fine", last_seen_ms=NOW_MS)
    a_machine(acme, "new")
    a_machine(acme, "late", last_seen_ms=NOW_MS - 120_000)
    a_machine(acme, "silent", last_seen_ms=NOW_MS - 3_600_000)
    a_machine(acme, "old", last_seen_ms=1, retired_at=from_ms(2))
    a_machine(bolt, "foreign", last_seen_ms=NOW_MS)

    with django_assert_num_queries(4):
        rows = fleet(acme, NOVEMBER, NOW_MS)

    assert [row.machine.code for row in rows] == ["silent", "late", "new", "fine", "old"]
    assert count_of_states(rows) == [
        (State.REPORTING, 1),
        (State.LATE, 1),
        (State.SILENT, 1),
        (State.WAITING, 1),
        (State.RETIRED, 1),
    ]


def test_the_bill_of_the_month_before_covers_nothing_of_this_one() -> None:
    machine = a_machine(a_customer(), last_seen_ms=NOW_MS)
    a_bucket(machine, to_ms(NOVEMBER.start) - BUCKET_MS)

    assert fleet(machine.customer, NOVEMBER, NOW_MS)[0].coverage is None
