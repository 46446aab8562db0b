"""What each message of a batch will become: stored, duplicate or rejected. Pure: rows and books go in, a verdict comes out."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from usage.overlaps import Metered
from usage.runs import Runs
from usage.wire import Message, RawMessage, Row
from usage.wire_errors import Refused

StreamKey = tuple[int, uuid.UUID]
SampleKey = tuple[int, uuid.UUID, int]


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """A message with its machine's and customer's primary keys, or why it was refused."""

    raw: RawMessage
    message: Message | None = None
    machine_pk: int = 0
    customer_pk: int = 0
    refused: Refused | None = None


@dataclass(slots=True)
class Verdict:
    """What a batch adds. `new` maps a sample's key to its row, `runs` are the streams' runs with the batch in them.

    Readings of the paper's format are in no run: their offset names them, which next_offset already guards.
    """

    new: dict[SampleKey, Row] = field(default_factory=dict)
    runs: dict[StreamKey, Runs] = field(default_factory=dict)
    contested: Mapping[int, Metered] = field(default_factory=dict)
    readings: set[StreamKey] = field(default_factory=set)
    rejected: list[tuple[RawMessage, Refused]] = field(default_factory=list)
    accepted: list[tuple[Decoded, dict[SampleKey, Row]]] = field(default_factory=list)


def repeated_keys(batch: Iterable[Decoded], runs: Mapping[StreamKey, Runs]) -> list[SampleKey]:
    """Return the samples that the runs already hold: their stored rows decide between duplicate and equivocation."""
    repeated: list[SampleKey] = []
    for item in batch:
        if item.message is None:
            continue
        stream = (item.machine_pk, item.message.stream)
        if (known := runs.get(stream)) is not None and known.overlaps(*_bounds(item.message.rows)):
            repeated += [(*stream, row.seq) for row in item.message.rows if row.seq in known]
    return repeated


def classify(
    batch: Iterable[Decoded],
    runs: dict[StreamKey, Runs],
    stored: Mapping[SampleKey, Row],
    contested: Mapping[int, Metered] | None = None,
) -> Verdict:
    """Judge the messages in order. A message with one contradicting sample is refused whole and adds nothing.

    `contested` holds the time metered so far of the machines of which several streams come near each other.
    """
    verdict = Verdict(runs=runs, contested=contested or {})
    for item in batch:
        if item.message is None:
            verdict.rejected.append((item.raw, item.refused or Refused("poison", "no message")))
            continue
        try:
            _accept(verdict, item, item.message, stored)
        except Refused as refused:
            verdict.rejected.append((item.raw, refused))
    return verdict


def _accept(verdict: Verdict, item: Decoded, message: Message, stored: Mapping[SampleKey, Row]) -> None:
    key = (item.machine_pk, message.stream)
    runs = verdict.runs.get(key)
    if runs is None:
        runs = verdict.runs[key] = Runs()
    span = _span(message.rows)
    if span is not None and not runs.overlaps(*span) and _runs_tell(verdict, message, key):
        fresh = {(*key, row.seq): row for row in message.rows}  # What almost every message is.
    else:
        fresh = _fresh(verdict, key, message, runs, stored)
        span = None
    if message.version and fresh and (metered := verdict.contested.get(item.machine_pk)) is not None:
        metered.check(message.stream, fresh.values())
        metered.add(message.stream, ((row.start_ms, row.end_ms) for row in fresh.values()))
    verdict.new.update(fresh)
    if message.version:
        for lo, hi in [span] if span else _spans(fresh.values()):
            runs.add(lo, hi)
    else:
        verdict.readings.add(key)
    verdict.accepted.append((item, fresh))


def _runs_tell(verdict: Verdict, message: Message, stream: StreamKey) -> bool:
    """Whether the stream's runs hold all that the batch has brought of it so far."""
    return message.version > 0 and (not verdict.readings or stream not in verdict.readings)


def _bounds(rows: Sequence[Row]) -> tuple[int, int]:
    seqs = [row.seq for row in rows]
    return min(seqs), max(seqs) + 1


def _span(rows: Sequence[Row]) -> tuple[int, int] | None:
    """The rows' sequence numbers as one half-open span, if they follow each other."""
    lo, hi = rows[0].seq, rows[0].seq + len(rows)
    return (lo, hi) if len(rows) == 1 or [row.seq for row in rows] == list(range(lo, hi)) else None


def _fresh(
    verdict: Verdict, stream: StreamKey, message: Message, runs: Runs, stored: Mapping[SampleKey, Row]
) -> dict[SampleKey, Row]:
    """The message's rows that nobody has seen. Raise Refused where one contradicts what was seen."""
    fresh: dict[SampleKey, Row] = {}
    for row in message.rows:
        key = (*stream, row.seq)
        known = fresh.get(key) or verdict.new.get(key) or stored.get(key)
        if known is not None and known[:10] != row[:10]:
            raise Refused("equivocation", f"sample {row.seq} of stream {message.stream} was stored with other content")
        # A stored row may be pruned: then only the run remembers it, and nothing is left to compare.
        if known is None and row.seq not in runs:
            fresh[key] = row
    return fresh


def _spans(rows: Iterable[Row]) -> list[tuple[int, int]]:
    """The rows' sequence numbers as half-open spans, mostly one."""
    spans: list[tuple[int, int]] = []
    for seq in sorted(row.seq for row in rows):
        if spans and spans[-1][1] == seq:
            spans[-1] = (spans[-1][0], seq + 1)
        else:
            spans.append((seq, seq + 1))
    return spans
