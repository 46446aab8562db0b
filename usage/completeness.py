"""Reads for people and agents: what of each stream arrived, what is missing, how well a machine's time is covered."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.db.models import Count, Q, QuerySet, Sum

from usage.fleet import SILENT_MS, MachineRow, rows_of
from usage.models import IngestIncident, Machine, MachineStream, Reason, RejectedMessage, StreamRun
from usage.periods import Period, from_ms
from usage.runs import Runs

# Reasons for which a refused message is the machine's own beyond doubt, so that the agent may forget what the desk holds.
OWN = (
    Reason.NEGATIVE, Reason.OUT_OF_RANGE, Reason.BAD_INTERVAL, Reason.TOO_LONG, Reason.TOO_MUCH_CPU, Reason.TOO_MUCH_MEMORY,
    Reason.NOT_INTEGER, Reason.WRONG_TYPE, Reason.IN_FUTURE, Reason.TOO_OLD, Reason.UNKNOWN_MACHINE, Reason.RETIRED_MACHINE,
    Reason.UNKNOWN_VERSION, Reason.EQUIVOCATION, Reason.OVERLAP, Reason.TOO_MANY, Reason.TOO_LARGE, Reason.POISON,
)  # fmt: skip
AHEAD_MS = 2_000
BEHIND_MS = 60_000


@dataclass(frozen=True, slots=True)
class StreamState:
    """What of one stream arrived. Spans of sequence numbers are half-open; `missing` never came, `refused` waits on the desk."""

    stream: uuid.UUID
    received: int
    highest: int
    watermark: int
    missing: Sequence[tuple[int, int]]
    refused: Sequence[tuple[int, int]]
    since_ms: int
    until_ms: int
    late_samples: int

    @property
    def missing_samples(self) -> int:
        """How many sequence numbers below the highest never came."""
        return sum(hi - lo for lo, hi in self.missing)

    @property
    def refused_samples(self) -> int:
        """How many of them are held by refused messages."""
        return sum(hi - lo for lo, hi in self.refused)


@dataclass(frozen=True, slots=True)
class Completeness:
    """One machine in a period: whether it reports, how much of its time was metered, and its streams, newest first."""

    row: MachineRow
    streams: Sequence[StreamState]
    incidents: Sequence[IngestIncident]

    @property
    def machine(self) -> Machine:
        return self.row.machine

    @property
    def coverage(self) -> Fraction | None:
        """The share metered of the time in which the machine was there."""
        return self.row.coverage

    @property
    def late_samples(self) -> int:
        """Samples that came more than an hour after their end."""
        return sum(stream.late_samples for stream in self.streams)


@dataclass(slots=True)
class Summary:
    """One line of the fleet's list."""

    row: MachineRow
    streams: int = 0
    holes: int = 0
    late_samples: int = 0
    incidents: int = 0
    clock: str = ""


def watermark(machine: Machine, stream: uuid.UUID) -> int:
    """Return the sequence number below which the server holds all of a stream: stored, or refused with its bytes on the desk.

    Without the latter a sample that is refused for good would keep an agent sending, and its spool growing, for ever.
    """
    runs = Runs(StreamRun.objects.filter(machine=machine, stream=stream).values_list("lo", "hi"))
    for _, lo, hi in _spans(_refused(machine).filter(stream=stream, seq_hi__gt=runs.watermark)):
        runs.add(lo, hi)
    return runs.watermark


def completeness(machine: Machine, period: Period, now_ms: int) -> Completeness:
    """Return all there is to know of one machine in a period. Six queries."""
    row = rows_of([machine], period, now_ms)[0]
    incidents = list(IngestIncident.objects.filter(machine_code=machine.code, acknowledged_at=None))
    return Completeness(row, streams(machine), incidents)


def streams(machine: Machine) -> list[StreamState]:
    """Return the machine's streams, the one that metered last first. Readings of version 0 make no stream."""
    runs, refused = defaultdict[uuid.UUID, Runs](Runs), defaultdict[uuid.UUID, Runs](Runs)
    for stream, lo, hi in StreamRun.objects.filter(machine=machine).values_list("stream", "lo", "hi"):
        runs[stream].add(lo, hi)
    for stream, lo, hi in _spans(_refused(machine)):
        refused[stream].add(lo, hi)
    times = {row.stream: row for row in MachineStream.objects.filter(machine=machine)}
    found = [_state(stream, runs[stream], refused[stream], times.get(stream)) for stream in {*runs, *refused}]
    return sorted(found, key=lambda state: (-state.until_ms, state.stream))


def _state(stream: uuid.UUID, runs: Runs, refused: Runs, time: MachineStream | None) -> StreamState:
    held = Runs([*runs.pairs(), *refused.pairs()])
    return StreamState(
        stream=stream,
        received=runs.count,
        highest=max([*runs.his, *refused.his]) - 1,
        watermark=held.watermark,
        missing=held.missing(),
        refused=_without(refused, runs),
        since_ms=time.since_ms if time else 0,
        until_ms=time.until_ms if time else 0,
        late_samples=time.late_samples if time else 0,
    )


def _without(some: Runs, others: Runs) -> list[tuple[int, int]]:
    """What of some runs lies in none of the others."""
    left = []
    for lo, hi in some.pairs():
        for start, end in zip([lo, *others.his], [*others.los, hi], strict=True):
            if max(lo, start) < min(hi, end):
                left.append((max(lo, start), min(hi, end)))
    return left


def _refused(machine: Machine) -> QuerySet[RejectedMessage]:
    return RejectedMessage.objects.filter(machine_code=machine.code, reason__in=OWN)


def _spans(rows: QuerySet[RejectedMessage]) -> Iterator[tuple[uuid.UUID, int, int]]:
    for stream, lo, hi in rows.filter(stream__isnull=False).values_list("stream", "seq_lo", "seq_hi").iterator(chunk_size=2_000):
        if stream is not None and lo is not None and hi is not None:
            yield stream, lo, hi


def summaries(machines: Iterable[Machine], period: Period, now_ms: int) -> list[Summary]:
    """Return a line for each machine, those that need attention first. Five queries, however many machines."""
    rows = rows_of(list(machines), period, now_ms)
    lines = {row.machine.pk: Summary(row, clock=clock_of(row.machine)) for row in rows}
    of_streams = MachineStream.objects.filter(machine__in=lines).order_by().values("machine_id")
    for pk, count, late in of_streams.annotate(n=Count("pk"), late=Sum("late_samples")).values_list("machine_id", "n", "late"):
        lines[pk].streams, lines[pk].late_samples = count, int(late)
    behind_holes = StreamRun.objects.filter(machine__in=lines, lo__gt=0).order_by().values("machine_id")
    for pk, count in behind_holes.annotate(n=Count("pk")).values_list("machine_id", "n"):
        lines[pk].holes = count
    codes = {row.machine.code: row.machine.pk for row in rows}
    alarms = IngestIncident.objects.filter(machine_code__in=codes, acknowledged_at=None).order_by().values("machine_code")
    for code, count in alarms.annotate(n=Count("pk")).values_list("machine_code", "n"):
        lines[codes[code]].incidents = count
    return list(lines.values())


def clock_of(machine: Machine) -> str:
    """Say what is wrong with a machine's clock, or nothing."""
    skew = machine.clock_skew_ms
    if skew is None or -BEHIND_MS <= skew <= AHEAD_MS:
        return ""
    seconds = f"{abs(skew) / 1000:,.1f} s"
    return f"{seconds} ahead" if skew > 0 else f"{seconds} behind, or its messages were under way so long"


def needing(show: str, now_ms: int) -> QuerySet[Machine]:
    """Return the machines to look at: `silent`, `holes`, `clock`, `alarms`, or all that are not retired, by code."""
    live = Machine.objects.filter(Q(retired_at=None) | Q(retired_at__gt=from_ms(now_ms))).order_by("code")
    match show:
        case "silent":
            return live.filter(last_seen_ms__gt=0, last_seen_ms__lt=now_ms - SILENT_MS).order_by("last_seen_ms")
        case "holes":
            return live.filter(pk__in=StreamRun.objects.filter(lo__gt=0).values("machine"))
        case "clock":
            return live.filter(Q(clock_skew_ms__gt=AHEAD_MS) | Q(clock_skew_ms__lt=-BEHIND_MS))
        case "alarms":
            return live.filter(code__in=IngestIncident.objects.filter(acknowledged_at=None).values("machine_code"))
    return live
