"""The desk for refused messages: mend one, replay it, or discard it with a reason. What is replayed `usage/ingest.py` writes.

The bytes that came are never changed: what a person mends is stored beside them, with who and why. A message keeps the
identity that Kafka gave it, so that replaying twice adds nothing.
"""

import base64
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from django.db import DataError, IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils.timezone import now

from accounts.models import User
from usage.batch import decode_all
from usage.ingest import write_samples
from usage.models import IngestIncident, RejectedMessage
from usage.payload import reassigned
from usage.wire import Limits, RawMessage
from usage.wire_errors import Refused

STEP_S = 2.0
STEP_ROWS = 500


def raw_of(rejected: RejectedMessage) -> RawMessage:
    """Return the message as Kafka delivered it."""
    return RawMessage(
        topic=rejected.topic,
        topic_id=rejected.topic_id,
        partition=rejected.partition,
        offset=rejected.offset,
        timestamp_ms=rejected.timestamp_ms,
        key=bytes(rejected.key),
        value=bytes(rejected.value),
        headers=_headers(rejected.headers),
    )


def mended_of(rejected: RejectedMessage) -> RawMessage:
    """Return the message as it is judged when it is replayed: with what a person has mended, or as it came."""
    raw = raw_of(rejected)
    if rejected.fixed_value is None:
        return raw
    return _changed(raw, bytes(rejected.fixed_key or b""), bytes(rejected.fixed_value), _headers(rejected.fixed_headers or []))


def draft_fix(rejected: RejectedMessage, value: bytes | None, machine: str) -> RawMessage:
    """Return the message with another value (None: as it is now) and for another machine ("": as it is).

    Raise Refused where the value names its machine in a way that cannot be replaced.
    """
    raw = mended_of(rejected)
    if value is not None:
        raw = _changed(raw, raw.key or b"", value, raw.headers)
    if not machine:
        return raw
    new_value, headers = reassigned(raw.value or b"", raw.headers, machine)
    return _changed(raw, machine.encode() if raw.key else b"", new_value, headers)


def judge(raw: RawMessage, limits: Limits, using: str = "default") -> str:
    """Say what a replay of these bytes would meet, without writing: how many samples of which machine, or the refusal.

    For what a person has mended that person answers, since no signature can fit it any more.
    """
    item = decode_all([raw], limits, using, vouched=True)[0]
    if item.message is None:
        return f"Still refused: {item.refused.detail if item.refused else 'no message'}"
    return f"{_samples(len(item.message.rows))} of {item.message.machine}"


def fix_rejected(rejected_pk: int, user: User, raw: RawMessage, reason: str, using: str = "default") -> RejectedMessage:
    """Keep mended bytes beside the original ones. Raise Refused where the message is no longer open."""
    with transaction.atomic(using=using):
        row = _open_row(rejected_pk, using)
        row.fixed_key, row.fixed_value = raw.key or b"", raw.value or b""
        row.fixed_headers = [[name, base64.b64encode(value).decode()] for name, value in raw.headers]
        row.fix_reason, row.fixed_by, row.fixed_at = reason[:500], user, now()
        row.save(update_fields=["fixed_key", "fixed_value", "fixed_headers", "fix_reason", "fixed_by", "fixed_at"])
    return row


def replay_rejected(
    rejected_pk: int, user: User | None, limits: Limits, *, admit_overlap: bool = False, using: str = "default"
) -> RejectedMessage:
    """Judge an open rejected message again and store what it holds. Return the row with what became of it.

    Whoever replays admits old usage: pass limits without a maximum age. `admit_overlap` counts time that another stream
    of the machine has metered. Without a user, the message's time has come (usage/early.py). The offset's counters keep
    counting the message as rejected; the row says how many samples it brought. Raise Refused where it is still refused,
    which the row then says too, or is no longer open.
    """
    try:
        with transaction.atomic(using=using):
            row = _open_row(rejected_pk, using)
            refused = _replay(row, user, limits, admit_overlap, using)
    except (DataError, IntegrityError) as error:
        refused = Refused("poison", f"{type(error).__name__}: {error}")
    if refused is not None:
        text = f"{refused.reason}: {refused.detail}".replace("\0", "")[:600]
        kept = RejectedMessage.objects.using(using).filter(pk=rejected_pk)
        kept.update(replays=F("replays") + 1, last_refusal=text)
        raise refused
    return row


def _replay(row: RejectedMessage, user: User | None, limits: Limits, admit_overlap: bool, using: str) -> Refused | None:
    batch = decode_all([mended_of(row)], limits, using, vouched=row.fixed_value is not None)
    verdict, result = write_samples(batch, limits, using, admit_overlap=admit_overlap)
    if verdict.rejected:
        return verdict.rejected[0][1]
    row.replayed_samples, row.replayed_duplicates = result.samples_stored, result.samples_duplicate
    row.replays, row.last_refusal = row.replays + 1, ""
    known = f", {result.samples_duplicate} known before" if result.samples_duplicate else ""
    admitted = ", overlap admitted" if admit_overlap else ""
    by_itself = ", its time having come" if user is None else ""
    _resolve(row, RejectedMessage.State.REPLAYED, f"{_samples(result.samples_stored)} stored{known}{admitted}{by_itself}", user)
    return None


def discard_rejected(rejected_pk: int, user: User, reason: str, using: str = "default") -> RejectedMessage:
    """Close an open rejected message for good, with a reason. Raise Refused where it is no longer open."""
    with transaction.atomic(using=using):
        row = _open_row(rejected_pk, using)
        _resolve(row, RejectedMessage.State.DISCARDED, reason, user)
    return row


@dataclass(slots=True)
class BulkStep:
    """What one step over many messages has done. `after` is where the next one begins; `refusals` counts by reason."""

    after: int
    replayed: int = 0
    discarded: int = 0
    samples: int = 0
    duplicates: int = 0
    refused: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    finished: bool = False

    def json(self) -> dict[str, Any]:
        """Return the step as endpoints carry it."""
        return asdict(self)


def bulk_step(
    rows: QuerySet[RejectedMessage], user: User, act: Literal["replay", "discard"], reason: str, after: int, until: int
) -> BulkStep:
    """Act on the open messages of `rows` with after < pk <= until, oldest first, for about two seconds."""
    deadline = time.monotonic() + STEP_S
    step = BulkStep(after)
    still_open = rows.filter(state=RejectedMessage.State.OPEN, pk__gt=after, pk__lte=until).order_by("pk")
    pks = list(still_open.values_list("pk", flat=True)[:STEP_ROWS])
    for pk in pks:
        _act(step, pk, user, act, reason)
        step.after = pk
        if time.monotonic() > deadline:
            return step
    step.finished = len(pks) < STEP_ROWS
    return step


def _act(step: BulkStep, pk: int, user: User, act: Literal["replay", "discard"], reason: str) -> None:
    try:
        if act == "discard":
            discard_rejected(pk, user, reason)
            step.discarded += 1
            return
        row = replay_rejected(pk, user, without_age(int(time.time() * 1000)))
    except Refused as refused:
        step.refused += 1
        step.refusals[refused.reason] = step.refusals.get(refused.reason, 0) + 1
        return
    step.replayed += 1
    step.samples += row.replayed_samples
    step.duplicates += row.replayed_duplicates


def acknowledge(incidents: QuerySet[IngestIncident], user: User) -> int:
    """Note who has seen these incidents. The same thing happening again opens a new one. Return how many were open."""
    return incidents.filter(acknowledged_at=None).update(acknowledged_at=now(), acknowledged_by=user)


def without_age(now_ms: int) -> Limits:
    """Return limits under which nothing is too old: whoever replays admits it."""
    return Limits(now_ms, max_age_ms=now_ms)


def _samples(count: int) -> str:
    return f"{count} sample{'' if count == 1 else 's'}"


def _headers(pairs: Any) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, base64.b64decode(value)) for name, value in pairs)


def _changed(raw: RawMessage, key: bytes, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> RawMessage:
    return RawMessage(raw.topic, raw.topic_id, raw.partition, raw.offset, raw.timestamp_ms, key, value, headers)


def _open_row(pk: int, using: str) -> RejectedMessage:
    row = RejectedMessage.objects.using(using).select_for_update().get(pk=pk)
    if row.state != RejectedMessage.State.OPEN:
        raise Refused("not_open", f"it was {row.get_state_display().lower()} before: {row.resolution}")
    return row


def _resolve(row: RejectedMessage, state: RejectedMessage.State, resolution: str, user: User | None) -> None:
    row.state, row.resolution, row.resolved_by, row.resolved_at = state, resolution[:500], user, now()
    row.save(
        update_fields=[
            "state", "resolution", "resolved_by", "resolved_at", "replayed_samples", "replayed_duplicates", "replays",
            "last_refusal",
        ]
    )  # fmt: skip
