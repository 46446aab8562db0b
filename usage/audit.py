"""Proves the books from the rows: every message in one state, every quarter hour the sum of its samples. Reads only."""

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from django.db import connections
from django.db.models import Count, F, Max, Min, Sum

from usage.buckets import gains
from usage.models import IngestOffset, Machine, RejectedMessage, StreamRun, UsageBucket, UsageSample
from usage.sql import GAIN_COLUMNS, ROW_COLUMNS
from usage.wire import Row


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold: how much was looked at, and each difference in words."""

    name: str
    looked_at: str
    differences: list[str]


def checks(using: str = "default") -> Generator[Check]:
    """Yield each check as it is done. All of it holds, or one of the differences names what does not."""
    with _one_moment(using):
        yield _offsets(using)
        yield _samples(using)
        yield _runs(using)
        yield _buckets(using)


@contextlib.contextmanager
def _one_moment(using: str) -> Iterator[None]:
    """Let all checks see the rows of one instant, while a worker goes on storing and is not kept from it."""
    connection = connections[using]
    if connection.in_atomic_block:  # The caller's transaction decides what is seen.
        yield
        return
    # Not atomic(): on SQLite that would take the one write lock.
    snapshot = "BEGIN" if connection.vendor == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    with connection.cursor() as cursor:
        cursor.execute(snapshot)
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def _offsets(using: str) -> Check:
    """stored + duplicate + rejected + skipped = offsets consumed, and each rejection is a row."""
    found = []
    rows = list(IngestOffset.objects.using(using))
    for row in rows:
        consumed = row.next_offset - row.first_offset
        counted = row.stored + row.duplicate + row.rejected + row.skipped
        if consumed != counted:
            found.append(f"{row.topic}-{row.partition}: {consumed} offsets consumed, {counted} counted")
        kept = RejectedMessage.objects.using(using).filter(
            topic=row.topic, topic_id=row.log_id, partition=row.partition, offset__gte=row.first_offset
        )
        if (count := kept.count()) != row.rejected:
            found.append(f"{row.topic}-{row.partition}: {row.rejected} rejected by the books, {count} rejected messages kept")
    messages = sum(row.next_offset - row.first_offset for row in rows)
    return Check("messages", f"{messages} messages in {len(rows)} partitions", found)


def _samples(using: str) -> Check:
    """What the partitions and the desk say they stored is what is there."""
    booked = IngestOffset.objects.using(using).aggregate(total=Sum("samples_stored", default=0))["total"]
    replayed = RejectedMessage.objects.using(using).aggregate(total=Sum("replayed_samples", default=0))["total"]
    count = UsageSample.objects.using(using).count()
    found = [] if booked + replayed == count else [f"{booked} samples stored and {replayed} replayed by the books, {count} rows"]
    return Check("samples", f"{count} samples", found)


def _runs(using: str) -> Check:
    """Each stream's runs hold exactly its samples; readings of version 0 have no runs, their offsets name them."""
    with_interval = UsageSample.objects.using(using).filter(end_ms__gt=F("start_ms"))
    samples = {
        (row["machine_id"], row["stream"]): (row["count"], row["lowest"], row["highest"] + 1)
        for row in with_interval.values("machine_id", "stream").annotate(
            count=Count("seq"), lowest=Min("seq"), highest=Max("seq")
        )
    }
    runs = {
        (row["machine_id"], row["stream"]): (row["count"], row["lowest"], row["highest"])
        for row in StreamRun.objects.using(using)
        .values("machine_id", "stream")
        .annotate(count=Sum(F("hi") - F("lo")), lowest=Min("lo"), highest=Max("hi"))
    }
    found = [
        f"machine {key[0]}, stream {key[1]}: the runs hold {runs.get(key)}, the samples are {samples.get(key)}"
        " (how many, lowest, behind the highest)"
        for key in sorted(samples.keys() | runs.keys(), key=str)
        if samples.get(key) != runs.get(key)
    ]
    return Check("runs", f"{len(runs)} streams", found)


def _buckets(using: str) -> Check:
    """Each quarter hour is the sum of its samples, in every column, and there is none without."""
    found: list[str] = []
    count = 0
    known = set(Machine.objects.using(using).values_list("pk", flat=True))
    for model in (UsageSample, UsageBucket):
        known |= set(model._default_manager.using(using).values_list("machine_id", flat=True).distinct())
    for machine in sorted(known):
        stored, summed = _stored(machine, using), _summed(machine, using)
        count += len(stored)
        found += [
            f"machine {machine}, quarter hour {start}: stored {stored.get(start)}, the samples give {summed.get(start)}"
            for start in sorted(stored.keys() | summed.keys())
            if stored.get(start) != summed.get(start)
        ]
    return Check("quarter hours", f"{count} quarter hours", found)


def _stored(machine: int, using: str) -> dict[int, list[int]]:
    rows = UsageBucket.objects.using(using).filter(machine_id=machine).values_list("start_ms", *GAIN_COLUMNS)
    return {row[0]: list(row[1:]) for row in rows.iterator(chunk_size=10_000)}


def _summed(machine: int, using: str) -> dict[int, list[int]]:
    rows = UsageSample.objects.using(using).filter(machine_id=machine).values_list(*ROW_COLUMNS)
    sums = gains((machine, Row(*row)) for row in rows.iterator(chunk_size=10_000))
    return {start: amounts for (_, start), amounts in sums.items()}
