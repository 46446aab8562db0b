"""Samples into quarter hours."""

from hypothesis import given
from hypothesis import strategies as st

from usage.buckets import gains, split
from usage.periods import BUCKET_MS
from usage.wire import Row


def _row(start: int, end: int, cpu_ms: int = 0) -> Row:
    return Row(0, start, end, cpu_ms, 0, 0, 0, 0, 0, 0, 0, 0)


def test_a_sample_that_ends_on_the_edge_stays_in_its_quarter_hour() -> None:
    found = gains([(1, [_row(BUCKET_MS - 10_000, BUCKET_MS, 10_000)])])

    assert found == {(1, 0): [10_000, 1, 10_000, 0, 0, 0, 0, 0, 0, 0, 0]}


def test_a_sample_across_the_edge_is_split_in_proportion() -> None:
    found = gains([(1, [_row(BUCKET_MS - 2_500, BUCKET_MS + 7_500, 10_001)])])

    assert found == {
        (1, 0): [2_500, 1, 2_500, 0, 0, 0, 0, 0, 0, 0, 0],
        (1, BUCKET_MS): [7_500, 0, 7_501, 0, 0, 0, 0, 0, 0, 0, 0],
    }


def test_a_reading_without_an_interval_belongs_to_the_quarter_hour_that_begins_with_it() -> None:
    assert list(gains([(1, [_row(BUCKET_MS, BUCKET_MS)])])) == [(1, BUCKET_MS)]


def test_two_machines_do_not_mix() -> None:
    found = gains([(1, [_row(0, 10, 3), _row(20, 30, 1)]), (2, [_row(0, 10, 5)]), (1, [_row(10, 20, 4)])])

    assert (found[1, 0][2], found[2, 0][2]) == (8, 5)


@given(st.integers(0, 3 * BUCKET_MS), st.integers(1, 3_600_000), st.integers(0, 10**15))
def test_the_parts_of_a_sample_add_up_to_it(start: int, length: int, amount: int) -> None:
    parts = list(split(_row(start, start + length, amount)))

    assert sum(part[2] for _, part in parts) == amount
    assert sum(part[0] for _, part in parts) == length
    assert sum(part[1] for _, part in parts) == 1
    assert all(part[2] >= 0 for _, part in parts)
