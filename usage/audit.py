"""Proves the books from the rows: every message in one state, every quarter hour the sum of its samples. Reads only."""

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from django.db import connections
from django.db.models import Count, F, Max, Min, Sum

from usage import days
from usage.classify import StreamKey
from usage.models import (
    DayMark,
    IngestOffset,
    Machine,
    MachineStream,
    PrunedUsage,
    RejectedMessage,
    StreamRun,
    UsageBucket,
    UsageDay,
    UsageSample,
)
from usage.sums import differences


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
        yield _days(using)


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
    """What the partitions and the desk say they stored is what is there, or was pruned."""
    booked = IngestOffset.objects.using(using).aggregate(total=Sum("samples_stored", default=0))["total"]
    replayed = RejectedMessage.objects.using(using).aggregate(total=Sum("replayed_samples", default=0))["total"]
    pruned = PrunedUsage.objects.using(using).aggregate(total=Sum("samples", default=0))["total"]
    count = UsageSample.objects.using(using).count()
    balanced = booked + replayed == count + pruned
    words = f"{booked} samples stored and {replayed} replayed by the books, {count} rows and {pruned} pruned"
    return Check("samples", f"{count} samples, {pruned} pruned", [] if balanced else [words])


def _runs(using: str) -> Check:
    """Each stream's runs hold exactly its samples, kept and pruned; version 0 has no runs, its offsets name its readings."""
    samples, runs, pruned = _kept(using), _received(using), _pruned(using)
    found = [
        f"machine {key[0]}, stream {key[1]}: the runs hold {runs.get(key)}, the samples are {samples.get(key)}"
        f" (how many, lowest, behind the highest), {pruned.get(key, 0)} were pruned"
        for key in sorted(samples.keys() | runs.keys() | pruned.keys(), key=str)
        if not _accounted(runs.get(key), samples.get(key), pruned.get(key, 0))
    ]
    return Check("runs", f"{len(runs)} streams", found + list(_outside(using)))


Extent = tuple[int, int, int]


def _accounted(runs: Extent | None, samples: Extent | None, pruned: int) -> bool:
    """Whether every number received is a sample, or was one. Which numbers were pruned is not known, only how many."""
    if not pruned or runs is None:
        return runs == samples and not pruned
    count, lowest, highest = samples or (0, runs[1], runs[2])
    return runs[0] == count + pruned and runs[1] <= lowest and highest <= runs[2]


def _kept(using: str) -> dict[StreamKey, Extent]:
    with_interval = UsageSample.objects.using(using).filter(end_ms__gt=F("start_ms"))
    rows = with_interval.values("machine_id", "stream").annotate(count=Count("seq"), lowest=Min("seq"), highest=Max("seq"))
    return {(row["machine_id"], row["stream"]): (row["count"], row["lowest"], row["highest"] + 1) for row in rows.order_by()}


def _received(using: str) -> dict[StreamKey, Extent]:
    rows = StreamRun.objects.using(using).values("machine_id", "stream")
    sums = rows.annotate(count=Sum(F("hi") - F("lo")), lowest=Min("lo"), highest=Max("hi")).order_by()
    return {(row["machine_id"], row["stream"]): (int(row["count"]), row["lowest"], row["highest"]) for row in sums}


def _pruned(using: str) -> dict[StreamKey, int]:
    """How many samples with an interval were pruned of each stream. Readings of version 0 cover nothing."""
    rows = PrunedUsage.objects.using(using).values("machine_id", "stream")
    sums = rows.annotate(count=Sum("samples"), covered=Sum("covered_ms")).filter(covered__gt=0).order_by()
    return {(row["machine_id"], row["stream"]): int(row["count"]) for row in sums}


def _outside(using: str) -> Iterator[str]:
    """A sample outside its stream's time would be overlooked when another stream of the machine comes near."""
    known = {
        (row["machine_id"], row["stream"]): (row["since_ms"], row["until_ms"])
        for row in MachineStream.objects.using(using).values("machine_id", "stream", "since_ms", "until_ms")
    }
    with_interval = UsageSample.objects.using(using).filter(end_ms__gt=F("start_ms"))
    rows = with_interval.values("machine_id", "stream").annotate(first=Min("start_ms"), last=Max("end_ms")).order_by()
    for row in rows:
        span = known.get((row["machine_id"], row["stream"]))
        if span is None or row["first"] < span[0] or span[1] < row["last"]:
            yield (
                f"machine {row['machine_id']}, stream {row['stream']}: samples in [{row['first']}, {row['last']}),"
                f" by the books its time is {span}"
            )


def _buckets(using: str) -> Check:
    """Each quarter hour is the sum of its samples, in every column, and there is none without; pruned days by their sum."""
    known = set(Machine.objects.using(using).values_list("pk", flat=True))
    for model in (UsageSample, UsageBucket, PrunedUsage):
        known |= set(model._default_manager.using(using).values_list("machine_id", flat=True).order_by().distinct())
    found = [str(difference) for machine in sorted(known) for difference in differences(machine, using)]
    count = UsageBucket.objects.using(using).count()
    return Check("quarter hours", f"{count} quarter hours of {len(known)} machines", found)


def _days(using: str) -> Check:
    """Each summed local day is the sum of its quarter hours, and each that is over and has usage is summed."""
    known = set(DayMark.objects.using(using).values_list("pk", flat=True))
    known |= set(UsageDay.objects.using(using).values_list("machine_id", flat=True).order_by().distinct())
    found = [difference for machine in sorted(known) for difference in days.differences(machine, using)]
    return Check("days", f"{UsageDay.objects.using(using).count()} days of {len(known)} machines", found)
