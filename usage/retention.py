"""Forgets raw samples by whole UTC days, oldest first, and only where every quarter hour they went into is proven.

In the transaction that deletes them, what they gave to each day is kept (PrunedUsage), so that the audit goes on proving.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Min

from usage import partitions, sql
from usage.models import Machine, UsageSample
from usage.periods import from_ms
from usage.sums import Amounts, Difference, differences, gains_by_stream
from usage.wire import DAY_MS


@dataclass(slots=True)
class PrunedDay:
    """What became of a day: how many samples went, of how many machines, or what differs and kept them."""

    day_ms: int
    samples: int = 0
    machines: int = 0
    kept: list[Difference] = field(default_factory=list)

    def __str__(self) -> str:
        day = f"{from_ms(self.day_ms):%Y-%m-%d}"
        gone = f"{day}: {self.samples} samples of {self.machines} machines"
        return f"{gone}; kept, because {len(self.kept)} sums differ, first {self.kept[0]}" if self.kept else gone


def prune(before_ms: int, using: str = "default", *, dry_run: bool = False) -> Iterator[PrunedDay]:
    """Prune every whole day before this instant; with `dry_run` only prove them. Yield what became of each."""
    horizon = before_ms - before_ms % DAY_MS
    if sql.is_postgres(using):
        partitions.empty_default(using)  # So that old days which landed there can be dropped too.
        for day in partitions.days(using):
            if day < horizon and (done := _prune_partition(day, using, dry_run)).machines:
                yield done
    else:
        yield from _prune_rows(horizon, using, dry_run)


def _prune_partition(day: int, using: str, dry_run: bool) -> PrunedDay:
    """PostgreSQL: prove all machines of a day, then drop it whole. One machine's difference keeps the day."""
    done = PrunedDay(day)
    with transaction.atomic(using=using):
        if not dry_run:
            partitions.freeze(day, using)
        samples = UsageSample.objects.using(using).filter(end_ms__gte=day, end_ms__lt=day + DAY_MS)
        machines = list(samples.order_by().values_list("machine_id", flat=True).distinct())
        given: dict[tuple[int, uuid.UUID, int], Amounts] = {}
        for machine in machines:
            gains, unproven = _proven(machine, day, using)
            given |= gains
            done.kept += unproven
        done.machines, done.samples = len(machines), sum(amounts[1] for amounts in given.values())
        if not done.kept and not dry_run:
            sql.add_pruned(given, using)
            partitions.drop(day, using)
    return done


def _prune_rows(horizon: int, using: str, dry_run: bool) -> Iterator[PrunedDay]:
    """SQLite: a machine's day at a time, so that the one write lock is held for a moment only."""
    found: dict[int, PrunedDay] = {}
    for machine in list(Machine.objects.using(using).values_list("pk", flat=True)):
        day = _oldest_day(machine, 0, using)
        while day is not None and day < horizon:
            _prune_machine_day(machine, found.setdefault(day, PrunedDay(day)), using, dry_run)
            day = _oldest_day(machine, day + DAY_MS, using)
    yield from (found[day] for day in sorted(found))


def _oldest_day(machine: int, from_day: int, using: str) -> int | None:
    rows = UsageSample.objects.using(using).filter(machine_id=machine, end_ms__gte=from_day)
    oldest = rows.aggregate(oldest=Min("end_ms"))["oldest"]
    return None if oldest is None else oldest - oldest % DAY_MS


def _prune_machine_day(machine: int, done: PrunedDay, using: str, dry_run: bool) -> None:
    with transaction.atomic(using=using):
        sql.lock_machines([machine], using)
        given, unproven = _proven(machine, done.day_ms, using)
        if unproven:
            done.kept += unproven
            return
        done.machines += 1
        done.samples += sum(amounts[1] for amounts in given.values())
        if not dry_run:
            sql.add_pruned(given, using)
            day = UsageSample.objects.using(using).filter(end_ms__gte=done.day_ms, end_ms__lt=done.day_ms + DAY_MS)
            day.filter(machine_id=machine).delete()


def _proven(machine: int, day: int, using: str) -> tuple[dict[tuple[int, uuid.UUID, int], Amounts], list[Difference]]:
    """Return what the samples that end in a day gave, by (machine, stream, UTC day), and what differs in those days."""
    samples = UsageSample.objects.using(using).filter(machine_id=machine, end_ms__gte=day, end_ms__lt=day + DAY_MS)
    given: dict[tuple[int, uuid.UUID, int], Amounts] = {}
    for (stream, bucket), amounts in gains_by_stream(samples).items():
        key = (machine, stream, bucket - bucket % DAY_MS)
        given[key] = [one + other for one, other in zip(given.get(key, [0] * len(amounts)), amounts, strict=True)]
    touched = {key[2] for key in given} | {day}
    return given, [one for start in sorted(touched) for one in differences(machine, using, start, start + DAY_MS)]
