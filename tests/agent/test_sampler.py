"""Contiguous intervals, whatever the clock and the machine do."""

import pytest

from agent.counters import Reading
from agent.sampler import Clock, Sampler
from agent.samples import Host
from tests.agent.build import T0, Time, reading


class Machine:
    """Counters that a test turns by hand."""

    def __init__(self) -> None:
        self.now = reading()
        self.has = Host(cores=2, memory_mib=4_096)

    def host(self) -> Host:
        return self.has

    def read(self) -> Reading:
        return self.now


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def sampler(machine: Machine, time: Time) -> Sampler:
    return Sampler(machine, Clock(lambda: time.wall_ms * 1_000_000, lambda: time.monotonic_ms * 1_000_000))


def test_the_end_of_one_sample_is_the_start_of_the_next(sampler: Sampler, time: Time) -> None:
    spans = []
    for elapsed in (5_000, 5_003, 4_997):
        time.pass_ms(elapsed)
        spans += [(sample.start_ms, sample.end_ms) for sample in sampler.take()]

    assert spans == [(T0, T0 + 5_000), (T0 + 5_000, T0 + 10_003), (T0 + 10_003, T0 + 15_000)]


def test_no_time_no_sample(sampler: Sampler) -> None:
    assert sampler.take() == []


def test_a_clock_that_is_set_moves_the_stamps_but_no_duration(
    sampler: Sampler, machine: Machine, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    time.pass_ms(5_000)
    time.wall_ms += 3_600_000
    machine.now = reading(cpu_ms=4_000)
    (across,) = sampler.take()
    time.pass_ms(5_000)
    (after,) = sampler.take()

    assert (across.start_ms, across.end_ms, across.cpu_ms) == (T0, T0 + 5_000, 4_000)
    assert (after.start_ms, after.end_ms) == (T0 + 3_605_000, T0 + 3_610_000)
    assert "the clock moved by +3600.000 s" in caplog.text


def test_a_clock_that_slews_moves_nothing(sampler: Sampler, time: Time, caplog: pytest.LogCaptureFixture) -> None:
    time.pass_ms(5_000)
    time.wall_ms -= 200
    sampler.take()
    time.pass_ms(5_000)

    (second,) = sampler.take()

    assert (second.start_ms, second.end_ms) == (T0 + 5_000, T0 + 10_000)
    assert caplog.text == ""


def test_after_standing_still_for_long_no_sample_is_over_an_hour(sampler: Sampler, machine: Machine, time: Time) -> None:
    time.pass_ms(9_000_000)
    machine.now = reading(cpu_ms=900_001)

    samples = sampler.take()

    assert [sample.duration_ms for sample in samples] == [3_600_000, 3_600_000, 1_800_000]
    assert sum(sample.cpu_ms for sample in samples) == 900_001


def test_cpu_stays_within_the_cores(sampler: Sampler, machine: Machine, time: Time) -> None:
    time.pass_ms(1_000)
    machine.now = reading(cpu_ms=50_000)

    (sample,) = sampler.take()

    assert sample.cpu_ms == 2_000


def test_in_an_interval_in_which_the_machine_shrinks_it_had_what_it_had_before(
    sampler: Sampler, machine: Machine, time: Time
) -> None:
    machine.now = reading(memory_mib=4_000)
    time.pass_ms(1_000)
    sampler.take()
    machine.now, machine.has = reading(cpu_ms=1_500, memory_mib=1_000), Host(cores=1, memory_mib=1_024)
    time.pass_ms(1_000)

    (shrinking,) = sampler.take()
    assert (shrinking.cpu_ms, shrinking.memory_mib_ms) == (1_500, 2_500_000)  # More than one core and 1,024 MiB can give.
    assert sampler.host == Host(cores=2, memory_mib=4_096)

    time.pass_ms(1_000)
    sampler.take()
    assert sampler.host == Host(cores=1, memory_mib=1_024)


def test_memory_stays_within_the_limit_even_if_more_is_still_in_use(sampler: Sampler, machine: Machine, time: Time) -> None:
    machine.now, machine.has = reading(memory_mib=4_000), Host(cores=2, memory_mib=1_024)
    used = []
    for _ in range(2):
        time.pass_ms(1_000)
        used += [(sample.memory_mib_ms, sampler.host.memory_mib) for sample in sampler.take()]

    assert used == [(2_512_000, 4_096), (1_024_000, 1_024)]
