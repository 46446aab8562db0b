"""Mends quarter hours from the samples they are the sum of, under the lock that ingest takes, so a worker may run beside it."""

from collections.abc import Iterator, Sequence

from django.db import transaction

from usage import days, sql
from usage.models import Machine, UsageBucket
from usage.periods import BUCKET_MS
from usage.sums import ALWAYS, Difference, differences


def rebuild(machine: Machine, using: str = "default", start_ms: int = 0, end_ms: int = ALWAYS) -> list[Difference]:
    """Make each quarter hour of a machine in [start, end), whole UTC days, the sum of its samples. Return what differed.

    Days of which samples were pruned are left alone: their difference comes back with a length of a day.
    """
    with transaction.atomic(using=using):
        sql.lock_machines([machine.pk], using)
        found = differences(machine.pk, using, start_ms, end_ms)
        _write(machine, [one for one in found if mendable(one)], using)
    return found


def mendable(difference: Difference) -> bool:
    """Whether the samples to mend it from are there."""
    return difference.length_ms == BUCKET_MS


def examine(machines: Iterator[Machine] | Sequence[Machine], using: str, start_ms: int, end_ms: int) -> Iterator[Difference]:
    """Yield what `rebuild` would find, without a lock: while a worker stores, a quarter hour may differ for a moment."""
    for machine in machines:
        yield from differences(machine.pk, using, start_ms, end_ms)


def _write(machine: Machine, found: Sequence[Difference], using: str) -> None:
    gone = [one.start_ms for one in found if one.summed is None]
    UsageBucket.objects.using(using).filter(machine=machine, start_ms__in=gone).delete()
    days.note_changed({(machine.pk, one.start_ms) for one in found}, using)
    sql.set_buckets({(machine.pk, one.start_ms): one.summed for one in found if one.summed is not None}, using)
