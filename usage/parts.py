"""Reads far back: cuts a range into sums of whole local days where there are some, and quarter hours for the rest.

The parts hold every quarter hour once, whatever the days' task has done so far, so their sums are those of the quarter hours.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from usage.models import DayMark, UsageBucket, UsageDay
from usage.periods import Period, day_start, to_ms

Parts = Sequence[QuerySet[Any]]


def parts(machine_ids: Collection[int], period: Period, zone: ZoneInfo) -> Parts:
    """Return what together holds the usage of these machines in a range: one to five reads with the same columns.

    Two queries decide it at most. Every part has machine_id, start_ms, covered_ms, samples and the quantities.
    """
    ids = list(machine_ids)
    marks = dict(DayMark.objects.filter(machine_id__in=ids, zone=zone.key).values_list("machine_id", "until_ms"))
    first, last = _whole_days(period, zone)
    last = min([last, *marks.values()])
    if not marks or last <= first:
        return [quarter_hours(ids, period.start_ms, period.end_ms)]
    return list(_cut(list(marks), [pk for pk in ids if pk not in marks], period, first, last))


def quarter_hours(machine_ids: Collection[int], start_ms: int, end_ms: int) -> QuerySet[UsageBucket]:
    """The quarter hours of these machines that start in [start, end)."""
    return UsageBucket.objects.filter(machine_id__in=machine_ids, start_ms__gte=start_ms, start_ms__lt=end_ms)


def _cut(summed: list[int], others: list[int], period: Period, first: int, last: int) -> Iterator[QuerySet[Any]]:
    """Days in [first, last) of machines that have them, and what is beside them: before, behind, stale days, other machines."""
    days = UsageDay.objects.filter(machine_id__in=summed, start_ms__gte=first, start_ms__lt=last)
    stale = list(days.filter(stale=True).values_list("machine_id", "start_ms", "end_ms"))
    if stale:
        late = {pk for pk, _, _ in stale}
        low, high = min(start for _, start, _ in stale), min(last, max(end for _, _, end in stale))
        days = days.exclude(machine_id__in=late, start_ms__gte=low, start_ms__lt=high)
        yield quarter_hours(late, low, high)
    yield days
    if period.start_ms < first:
        yield quarter_hours(summed, period.start_ms, first)
    if last < period.end_ms:
        yield quarter_hours(summed, last, period.end_ms)
    if others:
        yield quarter_hours(others, period.start_ms, period.end_ms)


def _whole_days(period: Period, zone: ZoneInfo) -> tuple[int, int]:
    """The first local midnight in a range and the last one, in epoch ms."""
    first = day_start(period.start.astimezone(zone).date(), zone)
    if first < period.start:
        first = day_start(period.start.astimezone(zone).date() + timedelta(days=1), zone)
    return to_ms(first), to_ms(day_start(period.end.astimezone(zone).date(), zone))
