"""Sums finished local days of each machine, so that a year is read from days. The only writer of UsageDay and DayMark.

Everything here runs under the lock of the machine that ingest takes. Usage that comes for a summed day makes that day stale in
the transaction that stores it; until `catch_up` has summed it anew, `usage/parts.py` reads its quarter hours.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery

from usage import sql
from usage.grid import Grid
from usage.models import DayMark, Machine, UsageBucket, UsageDay
from usage.periods import Period, bucket_start, day_start, from_ms, to_ms

SETTLED = timedelta(hours=2)  # A day is summed so long after its end: most of what comes late has come by then.
AT_ONCE = 25  # Machines that are locked together, for a month of their days.
DAYS_AT_ONCE = 31
SUMMED = ("end_ms", "first_ms", *sql.GAIN_COLUMNS, "stale")


def note_changed(buckets: Collection[tuple[int, int]], using: str) -> None:
    """Make stale the summed days that hold these quarter hours (machine, start_ms). Call it where they change, under the lock."""
    if not buckets:
        return
    oldest = min(start for _, start in buckets)
    marks = sql.load_day_marks({machine for machine, _ in buckets}, oldest, using)
    late: set[tuple[int, int, int]] = set()
    for machine, start in buckets:
        if machine in marks and start < marks[machine][1]:
            late.add((machine, *local_day(marks[machine][0], start)))
    _write([_stale(*day) for day in late], ["stale"], using)


@lru_cache(maxsize=4_096)
def local_day(zone: str, at_ms: int) -> tuple[int, int]:
    """The first instant of the local day that holds an instant, and that of the next, in epoch ms."""
    day = from_ms(at_ms).astimezone(ZoneInfo(zone)).date()
    return to_ms(day_start(day, ZoneInfo(zone))), to_ms(day_start(day + timedelta(days=1), ZoneInfo(zone)))


def catch_up(at: datetime, using: str = "default") -> int:
    """Sum every day that is over and what has become stale, a few machines at a time. Return how many transactions it took."""
    done = 0
    for name in Machine.objects.using(using).values_list("customer__timezone", flat=True).distinct().order_by():
        until = local_day(name, to_ms(at - SETTLED))[0]
        for machines in sql.chunks(_behind(name, until, using), AT_ONCE):
            done += 1
            while _advance(machines, ZoneInfo(name), until, using):
                done += 1
    stale = (
        UsageDay.objects.using(using).filter(stale=True).values_list("machine_id", flat=True).distinct().order_by("machine_id")
    )
    for machine in list(stale):
        _refresh(machine, using)
        done += 1
    return done


def differences(machine: int, using: str) -> list[str]:
    """Say which summed days of a machine are not the sum of their quarter hours, and which are missing. Reads only."""
    return [f"machine {machine}, day from {from_ms(start)}: {what}" for start, what in sorted(_differing(machine, using).items())]


def mend(machine: int, using: str = "default") -> int:
    """Sum anew the days of a machine that differ from their quarter hours. Return how many did."""
    with transaction.atomic(using=using):
        sql.lock_machines([machine], using)
        differing = _differing(machine, using)
        mark = DayMark.objects.using(using).filter(pk=machine).first()
        rows = UsageDay.objects.using(using).filter(machine_id=machine, start_ms__in=list(differing))
        rows.delete()
        if mark:
            spans = {local_day(mark.zone, start) for start in differing}
            _write([_stale(machine, *span) for span in spans if span[0] < mark.until_ms], ["stale"], using)
            _refresh(machine, using)
    return len(differing)


def _stale(machine: int, start_ms: int, end_ms: int) -> UsageDay:
    return UsageDay(machine_id=machine, start_ms=start_ms, end_ms=end_ms, stale=True)


def _behind(zone: str, until_ms: int, using: str) -> list[int]:
    """The machines of this zone whose days are not summed up to there."""
    done = DayMark.objects.using(using).filter(machine_id=OuterRef("pk"), zone=zone, until_ms__gte=until_ms)
    machines = Machine.objects.using(using).filter(~Exists(done), customer__timezone=zone)
    return list(machines.order_by("pk").values_list("pk", flat=True))


def _advance(machines: Sequence[int], zone: ZoneInfo, until_ms: int, using: str) -> bool:
    """Sum at most a month of days of these machines, from where the first of them stands. Return whether more is to be done."""
    with transaction.atomic(using=using):
        sql.lock_machines(machines, using)
        stands = _stands(machines, zone, until_ms, using)
        low = min(stands.values())
        month = day_start(from_ms(low).astimezone(zone).date() + timedelta(days=DAYS_AT_ONCE), zone)
        high = min(until_ms, to_ms(month))
        if low < high:
            _write(_sums(machines, Period(from_ms(low), from_ms(high)), zone, using), SUMMED, using)
        marks = [DayMark(machine_id=pk, zone=zone.key, until_ms=max(at, high)) for pk, at in sorted(stands.items())]
        DayMark.objects.using(using).bulk_create(
            marks, update_conflicts=True, unique_fields=["machine"], update_fields=["zone", "until_ms"]
        )
    return high < until_ms


def _stands(machines: Sequence[int], zone: ZoneInfo, until_ms: int, using: str) -> dict[int, int]:
    """Up to where each machine's days are summed: at first, up to the day of its first usage. Days of another zone go."""
    marks = DayMark.objects.using(using).filter(machine_id__in=machines)
    UsageDay.objects.using(using).filter(machine_id__in=list(marks.exclude(zone=zone.key).values_list("pk", flat=True))).delete()
    stands = dict(marks.filter(zone=zone.key).values_list("pk", "until_ms"))
    earliest = UsageBucket.objects.using(using).filter(machine_id=OuterRef("pk")).order_by("start_ms").values("start_ms")[:1]
    new = Machine.objects.using(using).filter(pk__in=set(machines) - stands.keys()).annotate(first=Subquery(earliest))
    for pk, first in new.values_list("pk", "first"):
        stands[pk] = until_ms if first is None else min(until_ms, local_day(zone.key, first)[0])
    return stands


def _refresh(machine: int, using: str) -> None:
    """Sum the stale days of a machine anew, and whatever lies between them."""
    with transaction.atomic(using=using):
        sql.lock_machines([machine], using)
        stale = UsageDay.objects.using(using).filter(machine_id=machine, stale=True)
        spans = list(stale.values_list("start_ms", "end_ms"))
        mark = DayMark.objects.using(using).filter(pk=machine).first()
        stale.delete()
        if spans and mark:
            hull = Period(from_ms(min(start for start, _ in spans)), from_ms(max(end for _, end in spans)))
            _write(_sums([machine], hull, ZoneInfo(mark.zone), using), SUMMED, using)


def _sums(machines: Sequence[int], period: Period, zone: ZoneInfo, using: str) -> list[UsageDay]:
    """The days of these machines in a range of whole local days. The day on which clocks change comes in two rows."""
    grid = Grid(period, "day", zone)
    buckets = UsageBucket.objects.using(using).filter(
        machine_id__in=machines, start_ms__gte=period.start_ms, start_ms__lt=period.end_ms
    )
    days: dict[tuple[int, int], UsageDay] = {}
    for row in grid.sums(buckets, sql.GAIN_COLUMNS, "machine_id"):
        window = grid.windows[grid.place(row)]
        day = days.setdefault((row["machine_id"], window.start_ms), _empty(row["machine_id"], window, row["least_ms"]))
        day.first_ms = min(day.first_ms, row["least_ms"])
        for column in sql.GAIN_COLUMNS:
            setattr(day, column, getattr(day, column) + int(row[f"sum_{column}"]))
    return list(days.values())


def _empty(machine: int, window: Period, first_ms: int) -> UsageDay:
    return UsageDay(machine_id=machine, start_ms=window.start_ms, end_ms=window.end_ms, first_ms=first_ms)


def _write(days: Iterable[UsageDay], columns: Sequence[str], using: str) -> None:
    """Insert days, or set these columns of those that are there."""
    UsageDay.objects.using(using).bulk_create(
        sorted(days, key=lambda day: (day.machine_id, day.start_ms)),
        update_conflicts=True,
        unique_fields=["machine", "start_ms"],
        update_fields=list(columns),
    )


def _differing(machine: int, using: str) -> dict[int, str]:
    """What differs, by the start of the day. Stale days hold nothing that could be wrong, as long as they are whole days."""
    rows = {day.start_ms: day for day in UsageDay.objects.using(using).filter(machine_id=machine)}
    mark = DayMark.objects.using(using).filter(pk=machine).first()
    if mark is None:
        return dict.fromkeys(rows, "summed without a mark")
    sums = {day.start_ms: day for day in _all_sums(machine, mark, using)}
    found: dict[int, str] = {}
    for start in rows.keys() | sums.keys():
        row, due = rows.get(start), sums.get(start)
        if row is None:
            found[start] = "missing"
        elif not row.stale and (due is None or _amounts(row) != _amounts(due)):
            found[start] = f"holds {_amounts(row)}, the quarter hours give {_amounts(due) if due else None}"
        elif row.stale and (start, row.end_ms) != local_day(mark.zone, start):
            found[start] = "no whole day"
    return found


def _all_sums(machine: int, mark: DayMark, using: str) -> list[UsageDay]:
    buckets = UsageBucket.objects.using(using).filter(machine_id=machine).order_by("start_ms")
    first = buckets.values_list("start_ms", flat=True).first()
    start = mark.until_ms if first is None else local_day(mark.zone, bucket_start(first))[0]
    if start >= mark.until_ms:
        return []
    return _sums([machine], Period(from_ms(start), from_ms(mark.until_ms)), ZoneInfo(mark.zone), using)


def _amounts(day: UsageDay) -> tuple[int, ...]:
    return (day.end_ms, day.first_ms, *(getattr(day, column) for column in sql.GAIN_COLUMNS))
