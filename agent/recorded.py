"""A machine that exists only as recorded traces: asked for any interval, it says what it used, in samples like a real one's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from agent.samples import Host, Sample
from agent.trace import MICRO, Meter

NAMESPACE = UUID("6f1d2b52-6f9e-5d0a-9a31-3c1f6f0c7a11")


@dataclass(frozen=True, slots=True)
class Recorded:
    """`shape` names all that decides what it used: files by content, sizes. `offset_ms` shifts the traces' time."""

    code: str
    host: Host
    meters: Mapping[str, Meter]
    shape: str
    offset_ms: int = 0
    version0: bool = field(default=False)

    def sample(self, start_ms: int, end_ms: int) -> Sample:
        start, end = start_ms + self.offset_ms, end_ms + self.offset_ms
        return Sample(start_ms, end_ms, **{name: meter.used(start, end) for name, meter in self.meters.items()})

    def cut(self, start_ms: int, end_ms: int, step_ms: int) -> Iterator[Sample]:
        """[start, end) in samples of `step_ms`, the last one shorter if it does not come out even."""
        for at in range(start_ms, end_ms, step_ms):
            yield self.sample(at, min(at + step_ms, end_ms))

    def micro_percent(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """Mean CPU and memory in [start, end), in millionths of a percent: a version 0 reading."""
        sample = self.sample(start_ms, end_ms)
        scale = 100 * MICRO
        return (
            scale * sample.cpu_ms // (self.host.cores * sample.duration_ms),
            scale * sample.memory_mib_ms // (self.host.memory_mib * sample.duration_ms),
        )

    def history_stream(self, start_ms: int, end_ms: int, step_ms: int) -> str:
        """The same history is always the same stream, so sending it a second time only makes duplicates."""
        return str(uuid5(NAMESPACE, f"{self.code}|{self.shape}|{self.offset_ms}|{start_ms}|{end_ms}|{step_ms}"))
