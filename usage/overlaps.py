"""Whether two streams of one machine meter the same time, as a copied machine or a rolled-back spool does. Pure.

Time that one stream has metered is billed; a sample of another stream in that time is refused, so that no machine is
billed for more than passed. Most machines have one stream, and of those nothing is asked. docs/operating.md states the rule.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from usage.periods import BUCKET_MS, bucket_start
from usage.runs import Runs
from usage.wire import Row
from usage.wire_errors import Refused

if TYPE_CHECKING:
    from usage.classify import StreamKey
    from usage.portions import Portion

# A new stream may begin before the old one's last sample ends: clocks are read twice, and slewed in between.
HANDOVER_MS = 1_000
HANDOVER_PART = 10
DAY_MS = 86_400_000
Span = tuple[int, int]


@dataclass(slots=True)
class Metered:
    """The time that each stream of one machine has metered around a batch, and the days whose samples were pruned."""

    streams: dict[uuid.UUID, Runs] = field(default_factory=dict)
    pruned: set[tuple[uuid.UUID, int]] = field(default_factory=set)

    def add(self, stream: uuid.UUID, spans: Iterable[Span]) -> None:
        """Take in time that a stream has metered."""
        runs = self.streams.setdefault(stream, Runs())
        for start, end in spans:
            runs.add(start, end)

    def check(self, stream: uuid.UUID, rows: Iterable[Row]) -> None:
        """Raise Refused where another stream has metered more of a row's time than a handover explains."""
        others = [(name, runs) for name, runs in self.streams.items() if name != stream]
        for row in rows:
            allowed = min(HANDOVER_MS, (row.end_ms - row.start_ms) // HANDOVER_PART)
            for name, runs in others:
                if (shared := runs.shared(row.start_ms, row.end_ms)) > allowed:
                    raise Refused("overlap", f"sample {row.seq}: {shared} ms of its time were metered by stream {name} already")
            self._check_pruned(stream, row)

    def _check_pruned(self, stream: uuid.UUID, row: Row) -> None:
        """Of a pruned day only the sum is left: which of its time was metered cannot be told any more."""
        day = row.start_ms - row.start_ms % DAY_MS
        if any(other != stream and pruned == day for other, pruned in self.pruned):
            raise Refused("overlap", f"sample {row.seq} lies in a day of another stream whose samples were pruned")


def hulls(brought: Iterable["Portion"]) -> dict["StreamKey", Span]:
    """Return the quarter hours, from the first to the last, that each stream meters in a batch. Version 0 meters no time."""
    found: dict[StreamKey, Span] = {}
    for portion in brought:
        if portion.version:
            start, end = portion.time()
            found[portion.key] = bucket_start(start), bucket_start(end + BUCKET_MS - 1)
    return found


def joined(one: Span | None, other: Span) -> Span:
    """Return the span from the earlier start to the later end."""
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))


def contested(fresh: Mapping["StreamKey", Span], known: Mapping["StreamKey", Span]) -> dict[int, Span]:
    """Return the machines of which a stream of the batch comes near another stream, with the time that the batch spans."""
    before, brought = _by_machine(known), _by_machine(fresh)
    found: dict[int, Span] = {}
    for machine, streams in brought.items():
        others = before.get(machine, [])
        if len(streams) == 1 and (not others or len(others) == 1 and others[0][0] == streams[0][0]):
            continue  # What almost every machine is: of one stream.
        for stream, span in streams:
            if _meets_another(stream, span, [*others, *streams]):
                found[machine] = joined(found.get(machine), span)
    return found


def _by_machine(spans: Mapping["StreamKey", Span]) -> dict[int, list[tuple[uuid.UUID, Span]]]:
    found: dict[int, list[tuple[uuid.UUID, Span]]] = {}
    for (machine, stream), span in spans.items():
        found.setdefault(machine, []).append((stream, span))
    return found


def _meets_another(stream: uuid.UUID, span: Span, streams: Sequence[tuple[uuid.UUID, Span]]) -> bool:
    return any(other != stream and start < span[1] and span[0] < end for other, (start, end) in streams)
