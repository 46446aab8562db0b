"""What a batch brings, by stream. Most bring consecutive samples that nobody has seen: those need no look at each. Pure."""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter

from usage.classify import Decoded, StreamKey, Verdict
from usage.runs import Runs
from usage.wire import Row

Brought = tuple[Decoded, Sequence[Row]]
start_of: Callable[[Row], int] = itemgetter(1)
end_of: Callable[[Row], int] = itemgetter(2)
_seq_of: Callable[[Row], int] = itemgetter(0)
_offset_of: Callable[[Decoded], int] = attrgetter("raw.offset")
_sent_at: Callable[[Decoded], int] = attrgetter("raw.timestamp_ms")
_item_of: Callable[[Brought], Decoded] = itemgetter(0)


@dataclass(slots=True, eq=False)
class Portion:
    """Samples of one stream in the order of their messages, and which message brought which."""

    machine: int
    stream: uuid.UUID
    version: int
    rows: list[Row] = field(default_factory=list)
    messages: list[Brought] = field(default_factory=list)
    _time: tuple[int, int] | None = None

    @property
    def key(self) -> StreamKey:
        return self.machine, self.stream

    def add(self, item: Decoded, rows: Sequence[Row]) -> None:
        """Take in what a message brings."""
        self.rows += rows
        self.messages.append((item, rows))
        self._time = None

    def span(self) -> tuple[int, int] | None:
        """The sequence numbers as one half-open span, if they follow each other."""
        lo, count = self.rows[0][0], len(self.rows)
        if count > 1 and list(map(_seq_of, self.rows)) != list(range(lo, lo + count)):
            return None
        return lo, lo + count

    def time(self) -> tuple[int, int]:
        """From the earliest start to the latest end."""
        if self._time is None:
            self._time = min(map(start_of, self.rows)), max(map(end_of, self.rows))
        return self._time

    def newest(self) -> tuple[Decoded, int]:
        """The message with the latest end, and that end: mostly the last one."""
        end = self.time()[1]
        item, rows = self.messages[-1]
        if rows[-1][2] != end:
            item = next(item for item, rows in self.messages if any(row[2] == end for row in rows))
        return item, end

    def last_sent_ms(self) -> int:
        """The latest time at which its machine sent a message, by the machine's clock."""
        return max(map(_sent_at, map(_item_of, self.messages)))

    def only(self, seqs: Collection[int]) -> "Portion":
        """The part of it with these sequence numbers."""
        part = Portion(self.machine, self.stream, self.version)
        for item, rows in self.messages:
            if kept := [row for row in rows if row.seq in seqs]:
                part.add(item, kept)
        return part


def portions(brought: Iterable[Brought]) -> list[Portion]:
    """Sort messages with their samples by stream, in order of machines: rows that lie together are written faster."""
    found: dict[tuple[int, int, int], Portion] = {}
    for item, rows in brought:
        message = item.message
        if message is None or not rows:
            continue
        key = (item.machine_pk, message.version, message.stream.int)  # A UUID's own hash costs more than all the rest.
        portion = found.get(key)
        if portion is None:
            portion = found[key] = Portion(item.machine_pk, message.stream, message.version)
        portion.add(item, rows)
    return sorted(found.values(), key=attrgetter("machine"))


def of_batch(batch: Iterable[Decoded]) -> list[Portion]:
    """Return all that a batch brings, new or not."""
    return portions((item, item.message.rows) for item in batch if item.message is not None)


def take_plain(brought: Collection[Portion], runs: dict[StreamKey, Runs], contested: Mapping[int, object]) -> list[Portion]:
    """Return the portions that are new beyond doubt, having added them to their streams' runs.

    Their samples follow each other, none was received before, and no other stream of the machine is near.
    """
    readings = {portion.key for portion in brought if not portion.version}
    plain = []
    for portion in brought:
        doubtful = not portion.version or portion.machine in contested or (readings and portion.key in readings)
        span = None if doubtful else portion.span()
        if span is None:
            continue
        known = runs.get(portion.key)
        if known is None:
            known = runs[portion.key] = Runs()
        elif known.overlaps(*span):
            continue
        known.add(*span)
        plain.append(portion)
    return plain


def others(batch: Sequence[Decoded], brought: Iterable[Portion], plain: Iterable[Portion]) -> list[Decoded]:
    """Return the messages of a batch that are in no plain portion, in their order."""
    settled = set(map(id, plain))
    left = [item for portion in brought if id(portion) not in settled for item, _ in portion.messages]
    left += [item for item in batch if item.message is None]
    return sorted(left, key=_offset_of)


def accepted(verdict: Verdict) -> Iterator[Brought]:
    """Yield the messages that were judged one by one, each with what is new in it."""
    return ((item, list(fresh.values())) for item, fresh in verdict.accepted)
