"""Runs of received sequence numbers."""

from hypothesis import given
from hypothesis import strategies as st

from usage.runs import Runs


def test_runs_that_touch_are_joined() -> None:
    runs = Runs([(0, 5), (7, 9)])

    runs.add(5, 7)

    assert runs.pairs() == [(0, 9)]
    assert runs.watermark == 9


def test_a_hole_stops_the_watermark_and_is_named() -> None:
    runs = Runs([(0, 5), (7, 9), (12, 13)])

    assert runs.watermark == 5
    assert runs.missing() == [(5, 7), (9, 12)]
    assert 4 in runs
    assert 5 not in runs


def test_without_number_nought_there_is_no_watermark() -> None:
    assert Runs([(1, 5)]).watermark == 0
    assert Runs().watermark == 0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9))))
def test_runs_hold_exactly_what_was_added(spans: list[tuple[int, int]]) -> None:
    runs, expected = Runs(), set[int]()

    for lo, length in spans:
        runs.add(lo, lo + length)
        expected |= set(range(lo, lo + length))

    assert {seq for seq in range(80) if seq in runs} == expected
    assert runs.count == len(expected)
    assert all(hi < following for (_, hi), (following, _) in zip(runs.pairs(), runs.pairs()[1:], strict=False))
