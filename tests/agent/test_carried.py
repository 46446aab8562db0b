"""Counters carried on over a restart: what was used while no agent ran is metered, and only what counters can tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.carried import Carried, boot_name, bridge
from agent.cgroup import Container
from agent.config import load
from agent.counters import Reading
from agent.samples import Host, Sample
from agent.service import Service
from tests.agent.build import HOST, T0, reading

MINUTE_MS = 60_000


def stood(at_ms: int, at: Reading, *, boot: str = "b1", clock_set_ms: int = 0) -> Carried:
    """The counters some time after T0, by a machine whose clock was set by so much since."""
    return Carried(boot, T0 + at_ms + clock_set_ms, at_ms * 1_000_000, at)


def test_cpu_and_bytes_of_a_minute_without_an_agent_are_metered_and_memory_is_not() -> None:
    before, after = reading(cpu_ms=1_000, net_rx=500), reading(cpu_ms=31_000, net_rx=2_500)

    samples = bridge(stood(0, before), stood(MINUTE_MS, after), HOST)

    assert samples == [Sample(T0, T0 + MINUTE_MS, cpu_ms=30_000, net_rx=2_000)]


def test_after_a_reboot_nothing_is_bridged() -> None:
    before, after = reading(cpu_ms=1_000), reading(cpu_ms=31_000)

    assert bridge(stood(0, before), stood(MINUTE_MS, after, boot="b2"), HOST) == []
    assert bridge(None, stood(MINUTE_MS, after), HOST) == []
    assert bridge(stood(0, before, boot=""), stood(MINUTE_MS, after, boot=""), HOST) == []


@pytest.mark.parametrize("set_ms", [3_600_000, -30_000, -3_600_000])
def test_a_clock_set_while_it_was_down_changes_no_quantity(set_ms: int) -> None:
    before, after = reading(cpu_ms=0), reading(cpu_ms=30_000)

    (sample,) = bridge(stood(0, before), stood(MINUTE_MS, after, clock_set_ms=set_ms), HOST)

    assert sample == Sample(T0 + set_ms, T0 + set_ms + MINUTE_MS, cpu_ms=30_000)


def test_a_clock_that_slews_leaves_no_hole() -> None:
    (sample,) = bridge(stood(0, reading()), stood(MINUTE_MS, reading(cpu_ms=9), clock_set_ms=200), HOST)

    assert (sample.start_ms, sample.end_ms) == (T0, T0 + MINUTE_MS + 200)


def test_a_long_time_is_split_by_the_hour_and_adds_up() -> None:
    samples = bridge(stood(0, reading()), stood(150 * MINUTE_MS, reading(cpu_ms=999_999)), HOST)

    assert [sample.duration_ms for sample in samples] == [3_600_000, 3_600_000, 1_800_000]
    assert sum(sample.cpu_ms for sample in samples) == 999_999
    assert bridge(stood(0, reading()), stood(31 * 1_440 * MINUTE_MS, reading(cpu_ms=5)), HOST) == []


def test_a_container_has_a_boot_of_its_own(tmp_path: Path) -> None:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("0b5e\n")
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()

    names = {boot_name(boot_id, lambda: None), *(boot_name(boot_id, lambda at=at: Container(at)) for at in (one, other))}  # type: ignore[misc]

    assert len(names) == 3
    assert boot_name(tmp_path / "nowhere", lambda: None) == ""


def test_what_cannot_be_read_carries_nothing_on() -> None:
    kept = stood(0, reading(cpu_ms=7))

    assert Carried.from_json(kept.to_json()) == kept
    for text in (None, "", "{}", "[]", '{"boot": 1}'):
        assert Carried.from_json(text) is None


class Counters:
    """A machine whose counters a test sets."""

    def __init__(self) -> None:
        self.at = reading()

    def host(self) -> Host:
        return HOST

    def read(self) -> Reading:
        return self.at


def test_an_agent_that_was_killed_loses_no_cpu_time(state: Path) -> None:
    counters = Counters()
    settings = load({"machine": "web-1"}, {"COREHOUR_AGENT_STATE_DIR": str(state)})
    first = Service(settings, counters)
    _tick(first)
    counters.at = replace(counters.at, cpu_ms=5)
    _tick(first)
    first.close()  # As after SIGKILL: what was counted since the last sample was not taken.

    counters.at = replace(counters.at, cpu_ms=12)
    second = Service(settings, counters)
    counters.at = replace(counters.at, cpu_ms=20)
    _tick(second)

    spooled = second.spool.read(0, 100, 100)
    assert sum(numbered.sample.cpu_ms for numbered in spooled) == 20
    assert [span[0] for span in second.spool.bridges()] == [spooled[2].sample.start_ms]
    ends = [(one.sample.end_ms, two.sample.start_ms) for one, two in zip(spooled, spooled[1:], strict=False)]
    assert all(end <= start for end, start in ends)
    second.close()


def _tick(service: Service) -> None:
    written = service.spool.position().next
    while service.spool.position().next == written:
        service.tick()
