"""Second step: a clock turns readings into contiguous samples. Durations are monotonic, stamps are wall-clock."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from agent.carried import Carried
from agent.counters import CpuLimit, Levels, Reading, between
from agent.samples import Host, Sample, split

STEP_MS = 250  # The clock was set if wall and monotonic time part by more; below that it is slewing, which both clocks follow.

log = logging.getLogger("agent")


class Source(Protocol):
    def host(self) -> Host: ...
    def read(self) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Clock:
    wall_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.monotonic_ns


class Sampler:
    """Each call of `take` closes the interval that the call before opened: [start, end), the next start is this end."""

    def __init__(self, source: Source, clock: Clock | None = None, boot: str = "") -> None:
        self.source = source
        self.boot = boot
        self.clock = clock or Clock()
        self.host = self._has = source.host()
        self._cpu, self._levels = CpuLimit(), Levels()
        self._before = source.read()
        self._start_ms = self._anchor_ms = self.clock.wall_ns() // 1_000_000
        self._anchor_ns = self.clock.monotonic_ns()

    def take(self) -> list[Sample]:
        """What was used since the last call: one sample, or several of at most an hour if the machine stood still for long."""
        after, now_ms = self.source.read(), self._now_ms()
        if now_ms <= self._start_ms:
            return []
        had, self._has = self._has, self.source.host()
        self.host = had.or_greater(self._has)
        whole = self._within_the_host(between(self._before, after, self._start_ms, now_ms, self._levels))
        self._before, self._start_ms = after, now_ms
        self._follow_the_clock(now_ms)
        return list(split(whole))

    def realign(self) -> None:
        """The clock was wrong since the last sample, and is right now: move what has not been taken yet to the right time."""
        drift_ms = self.clock.wall_ns() // 1_000_000 - self._now_ms()
        if abs(drift_ms) > STEP_MS:
            self._start_ms += drift_ms
            self._anchor_ms += drift_ms

    def carried(self) -> Carried:
        """How the counters stood at the end of the last sample."""
        return Carried(self.boot, self._start_ms, self.clock.monotonic_ns(), self._before)

    def _within_the_host(self, whole: Sample) -> Sample:
        """The server refuses a message that claims more than there is: a limit may be set below what is still in use."""
        return replace(
            whole,
            cpu_ms=self._cpu.limit(whole.cpu_ms, whole.duration_ms, self.host),
            memory_mib_ms=min(whole.memory_mib_ms, self.host.memory_mib * whole.duration_ms),
        )

    def _now_ms(self) -> int:
        return self._anchor_ms + (self.clock.monotonic_ns() - self._anchor_ns) // 1_000_000

    def _follow_the_clock(self, now_ms: int) -> None:
        """After the clock was set, or the machine slept, stamps go on from the new time. No duration changes; the stamps leap."""
        drift_ms = self.clock.wall_ns() // 1_000_000 - now_ms
        if abs(drift_ms) > STEP_MS:
            log.warning("the clock moved by %+.3f s; samples go on from the new time", drift_ms / 1000)
            self._start_ms = self._anchor_ms = now_ms + drift_ms
            self._anchor_ns = self.clock.monotonic_ns()
