"""Third step on the data's way: one batch of one partition into one database, in one transaction. The only writer of
samples, buckets, runs, rejected messages and offsets.

What survives a crash: before the commit nothing, after it everything, because the next offset is in the same
transaction as the rows. Kafka's redelivery and a second worker both meet the compare-and-set on that offset.
"""

import base64
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import DataError, IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils.timezone import now

from usage import days, overlaps, sql
from usage.announcements import announce_rejected
from usage.batch import decode_all
from usage.buckets import gains
from usage.classify import Decoded, StreamKey, Verdict, classify, repeated_keys
from usage.models import IngestIncident, IngestOffset, RejectedMessage
from usage.overlaps import Span
from usage.portions import Brought, Portion, accepted, end_of, of_batch, others, portions, take_plain
from usage.wire import Limits, RawMessage, claimed_machine
from usage.wire_errors import Refused, claimed_span

log = logging.getLogger(__name__)
MAX_POISON_IN_A_ROW = 100
LATE_MS = 3_600_000
ALARMING = ("equivocation", "overlap")


class LostOwnership(Exception):
    """Another worker moved this partition's offset: the batch was rolled back, reload the position."""


class TooMuchPoison(Exception):
    """More messages in a row raised than a bad message explains: the fault is the server's. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a batch begins: the offset that the database must still hold when the batch is written."""

    topic: str
    topic_id: str
    partition: int
    next_offset: int
    using: str = "default"


@dataclass(slots=True)
class PoisonGuard:
    """How many messages in a row have raised, across batches."""

    in_a_row: int = 0

    def after(self, batch: Sequence[Decoded]) -> int:
        """Return the count behind this batch. Raise TooMuchPoison where it passes the limit on the way."""
        count = self.in_a_row
        for item in batch:
            count = count + 1 if item.refused is not None and item.refused.reason == "poison" else 0
            if count > MAX_POISON_IN_A_ROW:
                raise TooMuchPoison(
                    f"More than {MAX_POISON_IN_A_ROW} messages in a row raised, the last at {item.raw.topic}-"
                    f"{item.raw.partition}@{item.raw.offset} ({item.refused.detail if item.refused else ''}). This looks like a "
                    "fault of this version, not of the messages: mend or roll back, then start the worker again."
                )
        return count


@dataclass(slots=True)
class BatchResult:
    """What became of a batch: messages by state, samples, and the new rows by message for the live push."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    skipped: int = 0
    samples_stored: int = 0
    samples_duplicate: int = 0
    new: list[Brought] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: "BatchResult") -> "BatchResult":
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.rejected += other.rejected
        self.skipped += other.skipped
        self.samples_stored += other.samples_stored
        self.samples_duplicate += other.samples_duplicate
        self.new += other.new
        self.reasons += other.reasons
        return self


def store(position: Position, records: Sequence[RawMessage], limits: Limits, guard: PoisonGuard | None = None) -> BatchResult:
    """Store one partition's records, the first of which is at or after the position, and move its offset behind the last.

    Raise LostOwnership where the database holds another offset by now, TooMuchPoison, and Django's OperationalError or
    InterfaceError where the database is away: in each case nothing more was written. A record that makes the database
    refuse the batch is found by halving and ends as a rejected message.
    """
    return _store(position, decode_all(records, limits, position.using), limits, guard or PoisonGuard())


def _store(position: Position, batch: list[Decoded], limits: Limits, guard: PoisonGuard) -> BatchResult:
    count = guard.after(batch)
    try:
        result = _write(position, batch, limits)
    except (DataError, IntegrityError) as error:
        return _bisect(position, batch, limits, guard, error)
    guard.in_a_row = count
    return result


def _bisect(position: Position, batch: list[Decoded], limits: Limits, guard: PoisonGuard, error: Exception) -> BatchResult:
    """Find the record that the database refuses, and reject it alone. Each half is a transaction of its own."""
    if len(batch) == 1:
        if batch[0].refused is not None:
            raise error  # Even as a rejection it cannot be written: no message's fault.
        log.error(
            "Message %s-%s@%s is refused by the database: %s", position.topic, position.partition, position.next_offset, error
        )
        refused = Refused("poison", f"{type(error).__name__}: {error}")
        return _store(position, [Decoded(batch[0].raw, refused=refused)], limits, guard)
    half = len(batch) // 2
    result = _store(position, batch[:half], limits, guard)
    following = Position(position.topic, position.topic_id, position.partition, batch[half - 1].raw.offset + 1, position.using)
    result += _store(following, batch[half:], limits, guard)
    return result


def _write(position: Position, batch: list[Decoded], limits: Limits) -> BatchResult:
    """The transaction. The offset is locked first, so that a rival waits or fails, and moved last by compare-and-set."""
    with transaction.atomic(using=position.using):
        if _offset(position).select_for_update().first() is None:
            raise LostOwnership(f"{position.topic}-{position.partition} is no longer at {position.next_offset}")
        verdict, result = write_samples(batch, limits, position.using)
        _write_rejected(verdict, position.using)
        result.reasons = Counter(refused.reason for _, refused in verdict.rejected)
        result.skipped = batch[-1].raw.offset + 1 - position.next_offset - len(batch)
        _move_offset(position, result)
    return result


def _offset(position: Position) -> QuerySet[IngestOffset]:
    """The partition's row, as long as it is where this batch begins."""
    return IngestOffset.objects.using(position.using).filter(
        topic=position.topic,
        partition=position.partition,
        topic_id=position.topic_id,
        next_offset=position.next_offset,
    )


def write_samples(
    batch: Sequence[Decoded], limits: Limits, using: str, *, admit_overlap: bool = False
) -> tuple[Verdict, BatchResult]:
    """Judge the batch by the books, then write runs, samples and buckets. Return the verdict and what became of it.

    Call it inside a transaction. Streams that bring nothing but what follows are taken whole; `verdict` holds the others.
    `admit_overlap` counts time that another stream of the machine has metered already.
    """
    brought = of_batch(batch)
    machines = {portion.machine for portion in brought}
    sql.lock_machines(machines, using)
    runs = sql.load_runs({portion.key for portion in brought}, using)
    before = {key: known.pairs() for key, known in runs.items()}
    known = sql.load_streams(machines, using)
    contested = {} if admit_overlap else sql.load_metered(overlaps.contested(overlaps.hulls(brought), known), using)
    plain = take_plain(brought, runs, contested)
    rest = others(batch, brought, plain)
    verdict = classify(rest, runs, sql.load_rows(repeated_keys(rest, runs), using), contested)
    sql.save_runs(before, {key: known.pairs() for key, known in verdict.runs.items()}, using)
    judged = list(accepted(verdict))
    inserted = sql.insert_samples([*plain, *portions(judged)], using)
    gained = gains((portion.machine, portion.rows) for portion in inserted)
    sql.add_to_buckets(gained, using)
    days.note_changed(gained.keys(), using)
    _note_streams(inserted, known, limits.now_ms, using)
    sql.see_machines(_seen(inserted, limits.now_ms), using)
    return verdict, _result(verdict, plain, judged, inserted)


def _note_streams(inserted: Sequence[Portion], known: Mapping[StreamKey, Span], now_ms: int, using: str) -> None:
    """Write where a stream entered another quarter hour, and count what came late."""
    late: dict[StreamKey, int] = {}
    for portion in inserted:
        if portion.version:
            count = sum(len(rows) for _, rows in portion.messages if rows[-1][2] < now_ms - LATE_MS)
            if count:
                late[portion.key] = late.get(portion.key, 0) + count
    grown = {key: overlaps.joined(known.get(key), span) for key, span in overlaps.hulls(inserted).items()}
    sql.save_streams({key: span for key, span in grown.items() if span != known.get(key) or key in late}, late, using)


def _seen(inserted: Sequence[Portion], now_ms: int) -> dict[int, tuple[int, int, int, int | None]]:
    """The newest sample's end, cores, MiB and the clock's skew of each machine with new rows.

    Kafka's timestamp is the machine's clock when it sent; how far it is from ours holds the way of the message too, so
    the one that took the shortest counts. A version 0 reading's timestamp is the time of its event and says nothing.
    """
    seen: dict[int, tuple[int, int, int, int | None]] = {}
    for portion in inserted:
        newest, cores, mib, skew = seen.get(portion.machine, (0, 0, 0, None))
        for item, rows in portion.messages:
            end = max(map(end_of, rows)) if len(rows) > 1 else rows[0][2]
            if end > newest and item.message is not None:
                newest, cores, mib = end, item.message.cores, item.message.memory_mib
        if portion.version:
            gap = max(item.raw.timestamp_ms for item, _ in portion.messages) - now_ms
            skew = gap if skew is None or gap > skew else skew
        seen[portion.machine] = (newest, cores, mib, skew)
    return seen


def _write_rejected(verdict: Verdict, using: str) -> None:
    rows = [_rejected_row(raw, refused) for raw, refused in verdict.rejected]
    RejectedMessage.objects.using(using).bulk_create(rows, batch_size=500)
    if rows:
        announce_rejected(rows, using)
    alarms: dict[tuple[str, str], list[str]] = {}
    for raw, refused in verdict.rejected:
        if refused.reason in ALARMING:
            place = f"{raw.topic}-{raw.partition}@{raw.offset}"
            alarms.setdefault((refused.reason, claimed_machine(raw)), []).append(f"{refused.detail} ({place})")
    for (kind, machine), details in alarms.items():
        _alarm(kind, machine, details, using)


def _alarm(kind: str, machine: str, details: Sequence[str], using: str) -> None:
    """Raise an alarm, or count on the one that nobody has acknowledged yet. The machine is locked, so no rival does the same."""
    at, open_one = now(), IngestIncident.objects.using(using).filter(kind=kind, machine_code=machine, acknowledged_at=None)
    if not open_one.update(count=F("count") + len(details), detail=details[-1], last_at=at):
        IngestIncident.objects.using(using).create(
            kind=kind, machine_code=machine, detail=details[-1], count=len(details), at=at, last_at=at
        )


def _rejected_row(raw: RawMessage, refused: Refused) -> RejectedMessage:
    stream, lo, hi = claimed_span(raw.value or b"") or (None, None, None)
    return RejectedMessage(
        topic=raw.topic,
        topic_id=raw.topic_id,
        partition=raw.partition,
        offset=raw.offset,
        timestamp_ms=raw.timestamp_ms,
        key=raw.key or b"",
        value=raw.value or b"",
        headers=[[name, base64.b64encode(value or b"").decode()] for name, value in raw.headers],
        machine_code=claimed_machine(raw),
        reason=refused.reason,
        detail=refused.detail.replace("\0", "")[:500],
        stream=stream,
        seq_lo=lo,
        seq_hi=hi,
    )


def _result(verdict: Verdict, plain: Sequence[Portion], judged: Sequence[Brought], inserted: Sequence[Portion]) -> BatchResult:
    """Count each message once. One whose samples were all there already is a duplicate, however that was found out."""
    messages = sum(len(portion.messages) for portion in plain) + len(judged)
    samples = sum(len(portion.rows) for portion in plain)
    samples += sum(len(item.message.rows) for item, _ in judged if item.message is not None)
    stored = sum(len(portion.messages) for portion in inserted)
    samples_stored = sum(len(portion.rows) for portion in inserted)
    return BatchResult(
        stored=stored,
        duplicate=messages - stored,
        rejected=len(verdict.rejected),
        samples_stored=samples_stored,
        samples_duplicate=samples - samples_stored,
        new=[brought for portion in inserted for brought in portion.messages],
    )


def _move_offset(position: Position, result: BatchResult) -> None:
    """Compare and set. The counters move with the offset, and a CHECK holds their sum."""
    messages = result.stored + result.duplicate + result.rejected + result.skipped
    moved = _offset(position).update(
        next_offset=F("next_offset") + messages,
        stored=F("stored") + result.stored,
        duplicate=F("duplicate") + result.duplicate,
        rejected=F("rejected") + result.rejected,
        skipped=F("skipped") + result.skipped,
        samples_stored=F("samples_stored") + result.samples_stored,
        samples_duplicate=F("samples_duplicate") + result.samples_duplicate,
        updated_at=now(),
    )
    if moved != 1:
        raise LostOwnership(f"{position.topic}-{position.partition} moved while a batch was written")


def open_offset(found: IngestOffset, using: str = "default") -> IngestOffset:
    """Return the stored row of a partition, made from `found` (its log's first offset) where there is none yet."""
    row, _ = IngestOffset.objects.using(using).get_or_create(
        topic=found.topic,
        partition=found.partition,
        defaults={
            "cluster_id": found.cluster_id,
            "topic_id": found.topic_id,
            "first_offset": found.first_offset,
            "next_offset": found.first_offset,
        },
    )
    return row


def accept_loss(row: IngestOffset, found: IngestOffset, reason: str, using: str = "default") -> IngestOffset:
    """Go on although messages are gone, and leave an incident. `found` is the log as Kafka has it, its first offset the one
    to go on at. Return the row as it is now.

    Offsets that retention deleted count as skipped. A re-created topic, and a log that lost its tail and gives its
    offsets anew, begin a new count of messages; the epoch keeps their names apart from the old ones.
    """
    same_topic = row.topic_id == found.topic_id and row.cluster_id == found.cluster_id
    with transaction.atomic(using=using):
        kind = IngestIncident.Kind.ACCEPTED_LOSS if same_topic else IngestIncident.Kind.TOPIC_RECREATED
        IngestIncident.objects.using(using).create(kind=kind, detail=f"{reason} Books before: {_books(row)}")
        changes = {"next_offset": found.first_offset}
        if same_topic and found.first_offset > row.next_offset:
            changes["skipped"] = row.skipped + found.first_offset - row.next_offset
        else:
            changes |= {"first_offset": found.first_offset, "stored": 0, "duplicate": 0, "rejected": 0, "skipped": 0}
            changes["epoch"] = row.epoch + 1 if same_topic else 0
        guarded = IngestOffset.objects.using(using).filter(pk=row.pk, next_offset=row.next_offset, topic_id=row.topic_id)
        if guarded.update(cluster_id=found.cluster_id, topic_id=found.topic_id, updated_at=now(), **changes) != 1:
            raise LostOwnership(f"{row} moved meanwhile")
    return IngestOffset.objects.using(using).get(pk=row.pk)


def _books(row: IngestOffset) -> str:
    return (
        f"{row.topic}-{row.partition} of topic id {row.topic_id}, [{row.first_offset}, {row.next_offset}): stored {row.stored}, "
        f"duplicate {row.duplicate}, rejected {row.rejected}, skipped {row.skipped}, samples {row.samples_stored}."
    )
