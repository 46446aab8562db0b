"""First step on the data's way: two readings of ever-growing counters become what was used between them."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.samples import Host, Sample

MIB = 1024 * 1024
WRAP = 2**32
WRAP_LIKELY = 2**30


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters at one instant: busy core-ms since boot, bytes in use now, bytes moved since boot by device."""

    cpu_ms: int
    memory_bytes: int
    disk_bytes: int
    net_rx: Mapping[str, int]
    net_tx: Mapping[str, int]
    disk_read: Mapping[str, int]
    disk_write: Mapping[str, int]


def moved(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """Bytes moved by all devices. One that was not there before only sets its mark: what it counts may not be this machine's."""
    return sum(grown(before[device], count) for device, count in after.items() if device in before)


def grown(before: int, after: int) -> int:
    """How far a counter went. A smaller value is a wrap at 32 bits if that is a short way, else a restart from zero."""
    if after >= before:
        return after - before
    wrapped = after + WRAP - before
    return wrapped if before < WRAP and wrapped <= WRAP_LIKELY else after


class Levels:
    """Turns what is held into MiB x ms. What is left of one sample counts in the next, so that many short ones lose nothing."""

    def __init__(self) -> None:
        self._left = {"memory": 0, "disk": 0}

    def held(self, name: str, before_bytes: int, after_bytes: int, elapsed_ms: int) -> int:
        """The mean of both ends, for that long."""
        whole, self._left[name] = divmod((before_bytes + after_bytes) * elapsed_ms + self._left[name], 2 * MIB)
        return whole


def between(before: Reading, after: Reading, start_ms: int, end_ms: int, levels: Levels | None = None) -> Sample:
    """What was used in [start_ms, end_ms). Memory and disk are the mean of both ends, held for the interval."""
    elapsed_ms, levels = end_ms - start_ms, levels or Levels()
    return Sample(
        start_ms=start_ms,
        end_ms=end_ms,
        cpu_ms=max(0, after.cpu_ms - before.cpu_ms),
        memory_mib_ms=levels.held("memory", before.memory_bytes, after.memory_bytes, elapsed_ms),
        disk_mib_ms=levels.held("disk", before.disk_bytes, after.disk_bytes, elapsed_ms),
        net_rx=moved(before.net_rx, after.net_rx),
        net_tx=moved(before.net_tx, after.net_tx),
        disk_read=moved(before.disk_read, after.disk_read),
        disk_write=moved(before.disk_write, after.disk_write),
    )


class CpuLimit:
    """Keeps CPU within what the cores can give.

    The kernel counts in ticks, so a busy second may read as 1.01 s: the excess, up to one tick a core, waits for the
    next sample instead of being lost. More than that is a broken counter and is dropped.
    """

    def __init__(self) -> None:
        self.carried_ms = 0

    def limit(self, cpu_ms: int, elapsed_ms: int, host: Host) -> int:
        wanted = cpu_ms + self.carried_ms
        given = min(wanted, host.cores * elapsed_ms)
        self.carried_ms = min(wanted - given, 10 * host.cores)
        return given
