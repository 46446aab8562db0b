"""What the agent's tests are built from: samples, a spool with some in it, and a stand-in for time (never for disk or broker)."""

from pathlib import Path

from agent.counters import Reading
from agent.samples import Host, Sample
from agent.spool import Spool

HOST = Host(cores=8, memory_mib=32_768)
T0 = 1_764_028_800_000


def sample(number: int, *, cpu_ms: int = 1_000) -> Sample:
    """The number-th sample of five seconds after T0."""
    return Sample(T0 + 5_000 * number, T0 + 5_000 * (number + 1), cpu_ms=cpu_ms)


def spool_with(path: Path, count: int) -> Spool:
    spool = Spool(path / "spool.sqlite3")
    if count:
        assert spool.append(HOST, [sample(number) for number in range(count)])
    return spool


def reading(cpu_ms: int = 0, memory_mib: int = 1_024, net_rx: int = 0) -> Reading:
    return Reading(
        cpu_ms=cpu_ms,
        memory_bytes=memory_mib * 1024 * 1024,
        disk_bytes=0,
        net_rx={"eth0": net_rx},
        net_tx={"eth0": 0},
        disk_read={"sda": 0},
        disk_write={"sda": 0},
    )


class Time:
    """A clock that stands still until moved. Wall and monotonic time can be moved apart."""

    def __init__(self) -> None:
        self.wall_ms = T0
        self.monotonic_ms = 5_000_000

    def pass_ms(self, milliseconds: int) -> None:
        self.wall_ms += milliseconds
        self.monotonic_ms += milliseconds

    def monotonic_s(self) -> float:
        return self.monotonic_ms / 1000
