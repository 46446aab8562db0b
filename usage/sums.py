"""What the kept samples give to quarter hours, summed by the database, and whether that is what the books say. Reads only.

Samples inside one quarter hour are added up in SQL; the few that cross an edge are split as ingest splits them.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import add
from typing import TypeVar

from django.db.models import Count, F, QuerySet, Sum

from usage.buckets import gains
from usage.meters import QUANTITY_COLUMNS
from usage.models import PrunedUsage, UsageBucket, UsageSample
from usage.periods import BUCKET_MS, from_ms
from usage.sql import GAIN_COLUMNS, ROW_COLUMNS
from usage.wire import DAY_MS, MAX_INTERVAL_MS, Row

ALWAYS = 2**62
Amounts = list[int]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the books of a machine are not the sum of its samples: a quarter hour, or a whole day if some were pruned."""

    machine: int
    start_ms: int
    length_ms: int
    stored: Amounts | None
    summed: Amounts | None

    def __str__(self) -> str:
        what = "quarter hour" if self.length_ms == BUCKET_MS else "day"
        when = f"{from_ms(self.start_ms):%Y-%m-%d %H:%M}"
        return f"machine {self.machine}, {what} {when}: stored {self.stored}, the samples give {self.summed}"


def gains_by_stream(samples: QuerySet[UsageSample]) -> dict[tuple[uuid.UUID, int], Amounts]:
    """Return what samples of one machine give, by stream and start of the quarter hour: covered_ms, samples, quantities."""
    placed = samples.annotate(bucket=F("start_ms") - F("start_ms") % BUCKET_MS)
    sums = [Sum(F("end_ms") - F("start_ms")), Count("seq"), *map(Sum, QUANTITY_COLUMNS)]
    names = [f"sum_{number}" for number in range(len(sums))]
    inside = placed.filter(end_ms__lte=F("bucket") + BUCKET_MS).values("stream", "bucket").order_by()
    found: dict[tuple[uuid.UUID, int], Amounts] = {}
    for stream, bucket, *amounts in inside.annotate(**dict(zip(names, sums, strict=True))).values_list(
        "stream", "bucket", *names
    ):
        found[stream, bucket] = [int(amount) for amount in amounts]
    crossing = placed.filter(end_ms__gt=F("bucket") + BUCKET_MS).values_list("stream", *ROW_COLUMNS)
    for stream, *values in crossing.iterator(chunk_size=2_000):
        for (_, bucket), amounts in gains([(0, [Row(*values)])]).items():
            _add(found, (stream, bucket), amounts)
    return found


def summed(machine: int, using: str, start_ms: int = 0, end_ms: int = ALWAYS) -> dict[int, Amounts]:
    """Return what the kept samples of a machine give to each of its quarter hours in [start, end)."""
    near = UsageSample.objects.using(using).filter(machine_id=machine, end_ms__gte=start_ms, start_ms__lt=end_ms)
    sums: dict[int, Amounts] = {}
    for (_, bucket), amounts in gains_by_stream(near.filter(end_ms__lt=end_ms + MAX_INTERVAL_MS)).items():
        if start_ms <= bucket < end_ms:
            _add(sums, bucket, amounts)
    return sums


def stored(machine: int, using: str, start_ms: int = 0, end_ms: int = ALWAYS) -> dict[int, Amounts]:
    """Return the machine's quarter hours in [start, end) as the books have them."""
    rows = UsageBucket.objects.using(using).filter(machine_id=machine, start_ms__gte=start_ms, start_ms__lt=end_ms)
    found = rows.values_list("start_ms", *GAIN_COLUMNS)
    return {row[0]: list(row[1:]) for row in found.iterator(chunk_size=10_000)}


def pruned(machine: int, using: str, start_ms: int = 0, end_ms: int = ALWAYS) -> dict[int, Amounts]:
    """Return what pruned samples gave to the machine's days in [start, end), by day."""
    rows = PrunedUsage.objects.using(using).filter(machine_id=machine, day_ms__gte=start_ms, day_ms__lt=end_ms)
    found: dict[int, Amounts] = {}
    for day, *amounts in rows.values_list("day_ms", *GAIN_COLUMNS):
        _add(found, day, amounts)
    return found


def differences(machine: int, using: str, start_ms: int = 0, end_ms: int = ALWAYS) -> list[Difference]:
    """Compare the books of a machine in [start, end), whole UTC days, with its samples. Of pruned days only the sum is left."""
    gone = pruned(machine, using, start_ms, end_ms)
    books, samples = stored(machine, using, start_ms, end_ms), summed(machine, using, start_ms, end_ms)
    found = [
        Difference(machine, bucket, BUCKET_MS, books.get(bucket), samples.get(bucket))
        for bucket in sorted(books.keys() | samples.keys())
        if bucket - bucket % DAY_MS not in gone and books.get(bucket) != samples.get(bucket)
    ]
    days, kept = by_day(books, gone), by_day(samples, gone)
    for day in sorted(gone):
        total = [one + other for one, other in zip(gone[day], kept.get(day, [0] * len(gone[day])), strict=True)]
        if days.get(day) != total:
            found.append(Difference(machine, day, DAY_MS, days.get(day), total))
    return found


def by_day(buckets: Mapping[int, Amounts], days: Iterable[int]) -> dict[int, Amounts]:
    """Add up quarter hours by UTC day, of these days."""
    wanted, sums = set(days), dict[int, Amounts]()
    for bucket, amounts in buckets.items():
        if (day := bucket - bucket % DAY_MS) in wanted:
            _add(sums, day, amounts)
    return sums


def _add(sums: dict[Key, Amounts], key: Key, amounts: Amounts) -> None:
    known = sums.get(key)
    sums[key] = amounts if known is None else list(map(add, known, amounts))
