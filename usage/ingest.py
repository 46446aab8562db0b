"""Third step on the data's way: one batch of one partition into one database, in one transaction. The only writer of
samples, buckets, runs, rejected messages and offsets.

What survives a crash: before the commit nothing, after it everything, because the next offset is in the same
transaction as the rows. Kafka's redelivery and a second worker both meet the compare-and-set on that offset.
"""

import base64
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import DataError, IntegrityError, transaction
from django.db.models import F
from django.utils.timezone import now

from usage import days, offsets, overlaps, sql
from usage.announcements import announce_rejected
from usage.batch import Look, decode_all
from usage.buckets import Gains, gains
from usage.classify import Decoded, StreamKey, Verdict, classify, repeated_keys
from usage.models import IngestIncident, RejectedMessage
from usage.offsets import Position
from usage.overlaps import Span
from usage.portions import Brought, Portion, accepted, of_batch, others, portions, take_plain
from usage.wire import Limits, RawMessage, claimed_machine
from usage.wire_errors import Refused, claimed_span

log = logging.getLogger(__name__)
MAX_POISON_IN_A_ROW = 100
LATE_MS = 3_600_000
ALARMING = ("equivocation", "overlap")


class TooMuchPoison(Exception):
    """More messages in a row raised than a bad message explains: the fault is the server's. Nothing was written."""


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
    newest_ms: int = 0
    new: list[Brought] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: "BatchResult") -> "BatchResult":
        self.stored += other.stored
        self.duplicate += other.duplicate
        self.rejected += other.rejected
        self.skipped += other.skipped
        self.samples_stored += other.samples_stored
        self.samples_duplicate += other.samples_duplicate
        self.newest_ms = max(self.newest_ms, other.newest_ms)
        self.new += other.new
        self.reasons += other.reasons
        return self


def store(
    position: Position,
    records: Sequence[RawMessage],
    limits: Limits,
    guard: PoisonGuard | None = None,
    *,
    looks: Sequence[Look | None] = (),
    meanwhile: Callable[[], None] | None = None,
) -> BatchResult:
    """Store one partition's records, the first of which is at or after the position, and move its offset behind the last.

    `looks` is what `look_ahead` has said of the records, if anything. `meanwhile` is called while the database takes the
    samples in, for work that needs none: it may be called several times or never, and must not raise.
    Raise LostOwnership where the database holds another offset by now, TooMuchPoison, and Django's OperationalError or
    InterfaceError where the database is away: in each case nothing more was written. A record that makes the database
    refuse the batch is found by halving and ends as a rejected message.
    """
    batch = decode_all(records, limits, position.using, looks=looks)
    return _store(position, batch, limits, guard or PoisonGuard(), meanwhile)


def _store(
    position: Position, batch: list[Decoded], limits: Limits, guard: PoisonGuard, meanwhile: Callable[[], None] | None = None
) -> BatchResult:
    count = guard.after(batch)
    try:
        result = _write(position, batch, limits, meanwhile)
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


def _write(position: Position, batch: list[Decoded], limits: Limits, meanwhile: Callable[[], None] | None = None) -> BatchResult:
    """The transaction. The offset is locked first, so that a rival waits or fails, and moved last by compare-and-set."""
    with transaction.atomic(using=position.using):
        offsets.lock(position)
        verdict, result = write_samples(batch, limits, position.using, meanwhile=meanwhile)
        _write_rejected(verdict, position.using)
        result.reasons = Counter(refused.reason for _, refused in verdict.rejected)
        result.skipped = batch[-1].raw.offset + 1 - position.next_offset - len(batch)
        _move_offset(position, result)
    return result


def write_samples(
    batch: Sequence[Decoded],
    limits: Limits,
    using: str,
    *,
    admit_overlap: bool = False,
    meanwhile: Callable[[], None] | None = None,
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
    inserted, gained = _insert([*plain, *portions(judged)], using, meanwhile)
    sql.add_to_buckets(gained, using)
    days.note_changed(gained.keys(), using)
    _note_streams(inserted, known, limits.now_ms, using)
    seen = _seen(inserted, limits.now_ms)
    sql.see_machines(seen, using)
    return verdict, _result(verdict, plain, judged, inserted, max((newest for newest, *_ in seen.values()), default=0))


def _insert(new: Sequence[Portion], using: str, meanwhile: Callable[[], None] | None) -> tuple[Sequence[Portion], Gains]:
    """Insert what is new. Return what really was, and what the quarter hours gain by it: that is added up meanwhile."""
    gained: Gains = {}

    def add_up() -> None:
        gained.update(gains((portion.machine, portion.rows) for portion in new))
        if meanwhile is not None:
            meanwhile()

    inserted = sql.insert_samples(new, using, add_up)
    if inserted is not new:
        return inserted, gains((portion.machine, portion.rows) for portion in inserted)
    return inserted, gained


def _note_streams(inserted: Sequence[Portion], known: Mapping[StreamKey, Span], now_ms: int, using: str) -> None:
    """Write where a stream entered another quarter hour, and count what came late."""
    late: dict[StreamKey, int] = {}
    for portion in inserted:
        if portion.version and portion.time()[0] < now_ms - LATE_MS:
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
        item, end = portion.newest()
        if end > newest and item.message is not None:
            newest, cores, mib = end, item.message.cores, item.message.memory_mib
        if portion.version:
            gap = portion.last_sent_ms() - now_ms
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


def _result(
    verdict: Verdict, plain: Sequence[Portion], judged: Sequence[Brought], inserted: Sequence[Portion], newest_ms: int
) -> BatchResult:
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
        newest_ms=newest_ms,
        new=[brought for portion in inserted for brought in portion.messages],
    )


def _move_offset(position: Position, result: BatchResult) -> None:
    offsets.move(position, {name: getattr(result, name) for name in offsets.COUNTS})
