"""Reads for live charts: the points of the last quarter hour, as the socket pushes them, so that a chart has no hole."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db.models import Avg, F, Max, Q, Sum

from usage.models import Machine, UsageSample

WINDOW_MS = 15 * 60_000
MAX_POINTS = 6_000
STEPS_MS = (1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 180_000, WINDOW_MS)
HOLD_MS = 30_000
EVERY = Q()
AHEAD_MS = 5 * 60_000  # As far as ingest lets a machine's clock be in front of ours.


@dataclass(frozen=True, slots=True)
class Point:
    """What one machine used on average in the step that ends at `t` (epoch ms). Measurements, not money: floats."""

    machine: str
    t: int
    cpu_percent: float
    cores: float | None
    memory_mib: int | None
    memory_percent: float

    def json(self) -> dict[str, Any]:
        """Return the point as sockets and endpoints carry it."""
        return asdict(self)


def recent(machines: Sequence[Machine], since_ms: int, now_ms: int) -> list[Point]:
    """Return the points with since < t, oldest first, at most a quarter hour and some thousands of them.

    A large fleet gets coarser steps instead of a longer answer. One query.
    """
    since_ms = max(since_ms, now_ms - WINDOW_MS)
    return sorted(_points(machines, since_ms, now_ms, _step(len(machines), now_ms - since_ms)), key=lambda point: point.t)


def latest(machines: Sequence[Machine], now_ms: int, within_ms: int = 60_000) -> dict[str, Point]:
    """Return each machine's newest point of the last minute by code. One query, which reads about a sample for each machine."""
    alive = [machine for machine in machines if machine.last_seen_ms > now_ms - within_ms]
    newest = Q(end_ms__in={machine.last_seen_ms for machine in alive})
    points = _points(alive, now_ms - within_ms, now_ms, STEPS_MS[0], newest)
    return {point.machine: point for point in sorted(points, key=lambda point: point.t)}


def _step(machines: int, span_ms: int) -> int:
    """The finest step at which all machines together stay below the limit."""
    fits = (step for step in STEPS_MS if machines * span_ms <= MAX_POINTS * step)
    return next(fits, STEPS_MS[-1])


def _points(machines: Sequence[Machine], since_ms: int, now_ms: int, step_ms: int, only: Q = EVERY) -> list[Point]:
    by_id = {machine.pk: machine for machine in machines}
    rows = (
        UsageSample.objects.filter(only, machine_id__in=by_id, end_ms__gt=since_ms, end_ms__lte=now_ms + AHEAD_MS)
        .annotate(slot=F("end_ms") - F("end_ms") % step_ms)
        .values("machine_id", "slot")
        .annotate(
            t=Max("end_ms"),
            length_ms=Sum(F("end_ms") - F("start_ms")),
            cpu=Sum("cpu_ms"),
            memory=Sum("memory_mib_ms"),
            cpu_upct=Avg("cpu_upct"),
            memory_upct=Avg("memory_upct"),
        )
        .order_by()
    )
    return [point for row in rows for point in _held(_point(by_id[row["machine_id"]], row), int(row["length_ms"]), since_ms)]


def _held(point: Point, length_ms: int, since_ms: int) -> list[Point]:
    """Repeat the point of a long interval through it: charts take a minute without a point for a hole, and it was metered."""
    start = max(point.t - length_ms, since_ms)
    earlier = range(point.t - HOLD_MS, start, -HOLD_MS) if length_ms > 2 * HOLD_MS else range(0)
    return [point, *(replace(point, t=t) for t in earlier)]


def _point(machine: Machine, row: Mapping[str, Any]) -> Point:
    """A version 0 reading has no interval, so it says nothing of cores or MiB."""
    length_ms = int(row["length_ms"])
    return Point(
        machine=machine.code,
        t=int(row["t"]),
        cpu_percent=round(float(row["cpu_upct"]) / 1e6, 3),
        cores=round(int(row["cpu"]) / length_ms, 4) if length_ms else None,
        memory_mib=int(row["memory"]) // length_ms if length_ms else None,
        memory_percent=round(float(row["memory_upct"]) / 1e6, 3),
    )
