"""A recorded series, cut into samples of any length, always holds the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trace import Meter, Movement, Row, Trace, TraceError, bytes_meter, cpu_meter, level_meter, micro, parse_time, read

ROWS = """timestamp,value
2014-02-14 14:30:00,50
2014-02-14 14:35:00,12.346
2014-02-14 14:45:00,99.9
"""
START = 1_392_388_200_000


def trace(tmp_path: Path, text: str = ROWS) -> Trace:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    return read(path)


def test_a_row_lasts_until_the_next_and_the_last_one_as_most_do(tmp_path: Path) -> None:
    rows = trace(tmp_path).rows

    assert rows == (
        Row(START, 300_000, 50_000_000),
        Row(START + 300_000, 600_000, 12_346_000),
        Row(START + 900_000, 300_000, 99_900_000),
    )


def test_percent_of_all_cores_becomes_core_milliseconds(tmp_path: Path) -> None:
    meter = cpu_meter(trace(tmp_path), cores=4)

    assert meter.used(START, START + 1_000) == 2_000
    assert meter.used(START, START + 300_000) == 600_000
    assert meter.used(START + 300_000, START + 900_000) == 296_304
    assert meter.used(START, START + 1_200_000) == 600_000 + 296_304 + 1_198_800


def test_bytes_of_a_row_are_spread_over_it(tmp_path: Path) -> None:
    meter = bytes_meter(trace(tmp_path, "timestamp,value\n1970-01-01,10\n1970-01-01 00:00:03,0.6\n"))

    assert [meter.used(at, at + 1_000) for at in range(0, 6_000, 1_000)] == [3, 3, 4, 0, 0, 0]
    assert meter.used(0, 60_000) == 106  # Ten rounds of 10.6.


def test_outside_its_own_time_the_trace_repeats_both_ways(tmp_path: Path) -> None:
    meter = cpu_meter(trace(tmp_path), cores=1)
    length = 1_200_000

    for at in (0, 123_456, 899_999):
        used = meter.used(START + at, START + at + 77_000)
        assert meter.used(START + at + 1_000 * length, START + at + 1_000 * length + 77_000) == pytest.approx(used, abs=1)
        assert meter.used(START + at - 999 * length, START + at - 999 * length + 77_000) == pytest.approx(used, abs=1)


def test_memory_is_a_level_of_a_size() -> None:
    steady = Trace((Row(0, 1_000, micro("12.5")),), "")

    assert level_meter(steady, size_mib=4_096).used(0, 10_000) == 5_120_000


@st.composite
def meters(draw: st.DrawFn) -> Meter:
    durations = draw(st.lists(st.integers(1, 100_000), min_size=1, max_size=6))
    starts = [sum(durations[:index]) for index in range(len(durations))]
    values = [draw(st.integers(0, 100_000_000)) for _ in durations]
    rows = tuple(Row(start, length, value) for start, length, value in zip(starts, durations, values, strict=True))
    movement = Movement(draw(st.integers(0, 100)), draw(st.integers(1, 20_000)))
    return cpu_meter(Trace(rows, ""), draw(st.integers(1, 64)), movement)


@given(meters(), st.integers(-(10**7), 10**7), st.integers(1, 10**5), st.integers(1, 10**5))
def test_however_it_is_cut_the_pieces_add_up_and_stay_within_the_cores(meter: Meter, start: int, length: int, step: int) -> None:
    end = start + length
    cuts = [*range(start, end, max(step, length // 50)), end]

    pieces = [meter.used(a, b) for a, b in zip(cuts, cuts[1:], strict=False)]

    assert sum(pieces) == meter.used(start, end)
    cores = meter._most // 100_000_000
    assert all(0 <= used <= cores * (b - a) for used, a, b in zip(pieces, cuts, cuts[1:], strict=False))


def test_movement_sways_within_a_row_and_leaves_its_sum(tmp_path: Path) -> None:
    still = cpu_meter(trace(tmp_path), cores=100)
    swaying = cpu_meter(trace(tmp_path), cores=100, movement=Movement(percent=10))
    seconds = range(START, START + 300_000, 1_000)

    used = [swaying.used(at, at + 1_000) for at in seconds]

    assert sum(used) == still.used(START, START + 300_000)
    assert 45_000 <= min(used) < 47_000
    assert 53_000 < max(used) <= 55_000


def test_movement_never_exceeds_the_machine(tmp_path: Path) -> None:
    swaying = cpu_meter(trace(tmp_path), cores=100, movement=Movement(percent=10))

    assert max(swaying.used(at, at + 1_000) for at in range(START + 900_000, START + 1_200_000, 1_000)) <= 100_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "first line must be timestamp,value"),
        ("time,cpu\n", "first line must be timestamp,value"),
        ("timestamp,value\n2014-02-14,1\n", "two lines of data"),
        ("timestamp,value\n2014-02-14,1\n2014-02-14,1\n", "line 3: times must rise"),
        ("timestamp,value\n2014-02-14,1\nyesterday,1\n", "line 3: Invalid isoformat"),
        ("timestamp,value\n2014-02-14,1\n2014-02-15,many\n", "line 3: 'many' is not a number"),
        ("timestamp,value\n2014-02-14,1\n2014-02-15,-1\n", "line 3: -1 is not a value of 0 or more"),
        ("timestamp,value\n2014-02-14,1\n2014-02-15,1e999999999\n", "line 3: 1e999999999 is more than a trace may say"),
        ("timestamp,value\n0001-01-01,1\n2014-02-15,1\n", "line 2: 0001-01-01 is not a time of the years"),
        ("timestamp,value\n2014-02-14,1\n2014-02-15,NaN\n", "line 3: NaN is not a value"),
        ("timestamp,value\n2014-02-14,1,2\n", "line 2: two columns"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(TraceError, match=complaint):
        trace(tmp_path, text)


def test_times_are_utc_unless_they_say_otherwise() -> None:
    assert parse_time("1970-01-01 00:00:01") == 1_000
    assert parse_time("1970-01-01T01:00:00.250+01:00") == 250
