"""What each message of a batch will become: stored, duplicate or rejected. Pure: rows and books go in, a verdict comes out."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from usage.runs import Runs
from usage.wire import Message, RawMessage, Row
from usage.wire_errors import Refused

StreamKey = tuple[int, uuid.UUID]
SampleKey = tuple[int, uuid.UUID, int]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message with its machine's and customer's primary keys, or why it was refused."""

    raw: RawMessage
    message: Message | None = None
    machine_pk: int = 0
    customer_pk: int = 0
    refused: Refused | None = None


@dataclass(slots=True)
class Verdict:
    """What a batch adds. `new` maps a sample's key to its row, `runs` are the streams' runs with the batch in them."""

    new: dict[SampleKey, Row] = field(default_factory=dict)
    runs: dict[StreamKey, Runs] = field(default_factory=dict)
    rejected: list[tuple[RawMessage, Refused]] = field(default_factory=list)
    accepted: list[tuple[Decoded, list[SampleKey]]] = field(default_factory=list)
    samples_duplicate: int = 0


def repeated_keys(batch: Iterable[Decoded], runs: Mapping[StreamKey, Runs]) -> list[SampleKey]:
    """Return the samples that the runs already hold: their stored rows decide between duplicate and equivocation."""
    return [
        (item.machine_pk, item.message.stream, row.seq)
        for item in batch
        if item.message is not None and (known := runs.get((item.machine_pk, item.message.stream))) is not None
        for row in item.message.rows
        if row.seq in known
    ]


def classify(batch: Iterable[Decoded], runs: dict[StreamKey, Runs], stored: Mapping[SampleKey, Row]) -> Verdict:
    """Judge the messages in order. A message with one contradicting sample is refused whole and adds nothing."""
    verdict = Verdict(runs=runs)
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
    runs = verdict.runs.setdefault((item.machine_pk, message.stream), Runs())
    fresh: dict[SampleKey, Row] = {}
    for row in message.rows:
        key = (item.machine_pk, message.stream, row.seq)
        known = fresh.get(key) or verdict.new.get(key) or stored.get(key)
        if known is not None and known[:10] != row[:10]:
            raise Refused("equivocation", f"sample {row.seq} of stream {message.stream} was stored with other content")
        # A stored row may be pruned: then only the run remembers it, and nothing is left to compare.
        if known is None and row.seq not in runs:
            fresh[key] = row
    verdict.new |= fresh
    if message.version:  # Readings of the paper's format are named by their offset, which next_offset already guards.
        for lo, hi in _spans(fresh.values()):
            runs.add(lo, hi)
    verdict.samples_duplicate += len(message.rows) - len(fresh)
    verdict.accepted.append((item, list(fresh)))


def _spans(rows: Iterable[Row]) -> list[tuple[int, int]]:
    """The rows' sequence numbers as half-open spans, mostly one."""
    spans: list[tuple[int, int]] = []
    for seq in sorted(row.seq for row in rows):
        if spans and spans[-1][1] == seq:
            spans[-1] = (spans[-1][0], seq + 1)
        else:
            spans.append((seq, seq + 1))
    return spans
