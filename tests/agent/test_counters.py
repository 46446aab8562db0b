"""Counters to usage: differences, wraps, restarts, devices that come and go, and the limit of the cores."""

import pytest

from agent.counters import CpuLimit, between, grown, moved
from agent.samples import Host
from tests.agent.build import T0, reading


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (100, 350, 250),
        (100, 100, 0),
        (4_294_967_000, 704, 1_000),  # 32 bits: 296 to the end, 704 after it.
        (5_000_000_000, 704, 704),  # It was beyond 32 bits, so it cannot have wrapped there: a restart.
        (1_000_000, 704, 704),  # Far from the end of 32 bits: a restart.
        (2**32 - 1, 0, 1),
    ],
)
def test_a_counter_that_falls_has_wrapped_or_restarted(before: int, after: int, expected: int) -> None:
    assert grown(before, after) == expected


def test_a_device_that_appears_only_sets_its_mark_and_one_that_leaves_takes_nothing_away() -> None:
    first = {"eth0": 1_000, "usb0": 500}
    second = {"eth0": 1_700, "wlan0": 9_000_000}
    third = {"eth0": 1_700, "wlan0": 9_000_040}

    assert moved(first, second) == 700
    assert moved(second, third) == 40


def test_usage_between_two_readings() -> None:
    before = reading(cpu_ms=10_000, memory_mib=1_000, net_rx=500)
    after = reading(cpu_ms=17_500, memory_mib=3_000, net_rx=2_500)

    sample = between(before, after, T0, T0 + 10_000)

    assert (sample.start_ms, sample.end_ms) == (T0, T0 + 10_000)
    assert sample.cpu_ms == 7_500
    assert sample.memory_mib_ms == 20_000_000  # 2,000 MiB on average for 10 s.
    assert (sample.net_rx, sample.net_tx) == (2_000, 0)


def test_a_cpu_counter_that_falls_is_nothing_used() -> None:
    assert between(reading(cpu_ms=9_000), reading(cpu_ms=100), T0, T0 + 1_000).cpu_ms == 0


def test_cpu_beyond_the_cores_waits_for_the_next_sample() -> None:
    limit, host = CpuLimit(), Host(cores=2, memory_mib=1)

    given = [limit.limit(cpu_ms, 1_000, host) for cpu_ms in (2_010, 1_990, 500)]

    assert given == [2_000, 2_000, 500]


def test_a_broken_cpu_counter_is_not_paid_back_later() -> None:
    limit, host = CpuLimit(), Host(cores=2, memory_mib=1)

    given = [limit.limit(cpu_ms, 1_000, host) for cpu_ms in (1_000_000, 0, 0)]

    assert given == [2_000, 20, 0]
