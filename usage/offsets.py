"""Where a partition stands: opened before the first batch, locked and moved with each, by compare-and-set.

The row is the fence against a second worker, and the books of what became of every message up to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connections, transaction
from django.utils.timezone import now

from usage.models import IngestIncident, IngestOffset
from usage.sql import is_postgres

OFFSETS = IngestOffset._meta.db_table
MESSAGES = ("stored", "duplicate", "rejected", "skipped")
COUNTS = (*MESSAGES, "samples_stored", "samples_duplicate")
HELD = "topic = %s AND partition = %s AND topic_id = %s AND next_offset = %s"


class LostOwnership(Exception):
    """Another worker moved this partition's offset: the batch was rolled back, reload the position."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a batch begins: the offset that the database must still hold when the batch is written."""

    topic: str
    topic_id: str
    partition: int
    next_offset: int
    using: str = "default"


def lock(position: Position) -> None:
    """Inside a transaction: keep everybody else from this partition. Raise LostOwnership where it stands elsewhere.

    SQLite has one writer anyway.
    """
    with connections[position.using].cursor() as cursor:
        lock = " FOR UPDATE" if is_postgres(position.using) else ""
        cursor.execute(f"SELECT 1 FROM {OFFSETS} WHERE {HELD}{lock}", _place(position))  # noqa: S608 names from the models
        if cursor.fetchone() is None:
            raise LostOwnership(f"{position.topic}-{position.partition} is no longer at {position.next_offset}")


def move(position: Position, counts: Mapping[str, int]) -> None:
    """Compare and set. The counters move with the offset, and a CHECK holds their sum. Raise LostOwnership where it moved."""
    connection = connections[position.using]
    counted = ", ".join(f"{name} = {name} + %s" for name in COUNTS)
    messages = sum(counts[name] for name in MESSAGES)
    values = (messages, *(counts[name] for name in COUNTS), connection.ops.adapt_datetimefield_value(now()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {OFFSETS} SET next_offset = next_offset + %s, {counted}, updated_at = %s WHERE {HELD}",  # noqa: S608
            (*values, *_place(position)),
        )
        if cursor.rowcount != 1:
            raise LostOwnership(f"{position.topic}-{position.partition} moved while a batch was written")


def _place(position: Position) -> tuple[str, int, str, int]:
    return position.topic, position.partition, position.topic_id, position.next_offset


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
