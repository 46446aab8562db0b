"""How often a machine is sampled changes nothing: one recorded trace at 1, 5 and 60 seconds is the same usage, to the unit."""

from pathlib import Path

import pytest

from agent.counters import Reading
from agent.sampler import Clock, Sampler
from agent.samples import Host, Sample
from agent.trace import Meter, Movement, bytes_meter, cpu_meter, read
from tests.agent.build import HOST, Time

NAB = Path(__file__).parent.parent.parent / "demo" / "nab"
HOURS = 3
HOUR_MS = 3_600_000
STEPS_S = (1, 5, 60)
MEMORY_BYTES, DISK_BYTES = 12_345_678_901, 98_765_432_109


class RecordedMachine:
    """Counters as a machine would have had them that did what the trace says."""

    def __init__(self, time: Time) -> None:
        self.time = time
        sway = Movement(percent=12)
        self.cpu = cpu_meter(read(NAB / "ec2_cpu_utilization_5f5533.csv"), HOST.cores, sway)
        self.net = bytes_meter(read(NAB / "ec2_network_in_257a54.csv"), sway)
        self._start_ms = time.wall_ms

    def host(self) -> Host:
        return HOST

    def read(self) -> Reading:
        cpu_ms, received = self._total(self.cpu), self._total(self.net) % 2**32
        return Reading(cpu_ms, MEMORY_BYTES, DISK_BYTES, {"eth0": received}, {"eth0": 0}, {}, {})

    def _total(self, meter: Meter) -> int:
        return meter.used(self._start_ms, self.time.wall_ms)


def sampled(step_s: int) -> list[Sample]:
    """Three hours through the agent's own sampler."""
    time = Time()
    sampler = Sampler(RecordedMachine(time), Clock(lambda: time.wall_ms * 1_000_000, lambda: time.monotonic_ms * 1_000_000))
    samples: list[Sample] = []
    for _ in range(HOURS * 3_600 // step_s):
        time.pass_ms(step_s * 1_000)
        samples += sampler.take()
    return samples


@pytest.mark.parametrize("name", ["cpu_ms", "net_rx"])
def test_the_same_trace_is_the_same_usage_at_any_interval(name: str) -> None:
    time = Time()
    meter = {"cpu_ms": RecordedMachine(time).cpu, "net_rx": RecordedMachine(time).net}[name]
    expected = meter.used(time.wall_ms, time.wall_ms + HOURS * HOUR_MS)

    totals = {step_s: sum(getattr(sample, name) for sample in sampled(step_s)) for step_s in STEPS_S}

    assert expected > 0
    assert totals == dict.fromkeys(STEPS_S, expected)


@pytest.mark.parametrize(("name", "held"), [("memory_mib_ms", MEMORY_BYTES), ("disk_mib_ms", DISK_BYTES)])
def test_what_is_held_for_hours_is_the_same_at_any_interval_though_it_is_no_whole_number_of_mib(name: str, held: int) -> None:
    totals = {step_s: sum(getattr(sample, name) for sample in sampled(step_s)) for step_s in STEPS_S}

    assert totals == dict.fromkeys(STEPS_S, held * HOURS * HOUR_MS // 2**20)
