"""The value that travels the whole way: what a machine used in one half-open interval. Integers, so they add up in any order."""

from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_MS = 3_600_000  # The server refuses a sample longer than an hour.


@dataclass(frozen=True, slots=True)
class Host:
    """What the machine has, as far as the agent may use it."""

    cores: int
    memory_mib: int

    def or_greater(self, other: "Host") -> "Host":
        """The greater of each: what there was to use in an interval in which the machine grew or shrank."""
        return Host(max(self.cores, other.cores), max(self.memory_mib, other.memory_mib))


@dataclass(frozen=True, slots=True)
class Sample:
    """Used in [start_ms, end_ms), epoch milliseconds: core-ms, MiB x ms and bytes."""

    start_ms: int
    end_ms: int
    cpu_ms: int = 0
    memory_mib_ms: int = 0
    disk_mib_ms: int = 0
    net_rx: int = 0
    net_tx: int = 0
    disk_read: int = 0
    disk_write: int = 0

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.start_ms

    def quantities(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in QUANTITIES}


QUANTITIES = ("cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write")


def split(sample: Sample, longest_ms: int = LONGEST_MS) -> Iterator[Sample]:
    """The same usage in pieces of at most `longest_ms`, in proportion to time; the pieces add up exactly."""
    if sample.duration_ms <= longest_ms:
        yield sample
        return
    for start in range(sample.start_ms, sample.end_ms, longest_ms):
        end = min(start + longest_ms, sample.end_ms)
        yield Sample(start, end, **{name: _part(amount, sample, start, end) for name, amount in sample.quantities().items()})


def _part(amount: int, sample: Sample, start: int, end: int) -> int:
    # A difference of running totals: whatever rounding leaves behind in one piece is in the next.
    return amount * (end - sample.start_ms) // sample.duration_ms - amount * (start - sample.start_ms) // sample.duration_ms
