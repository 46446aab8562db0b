"""What the usage explorer was asked for: the address says it all, so a link shows the same to whoever opens it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from usage.meters import METERS
from usage.periods import BUCKET_MS, Period, bucket_start, day_start, from_ms, month_of, to_ms

RANGES: Final = {"this-month": "This month", "last-month": "Last month", "last-7-days": "Last 7 days", "custom": "Custom"}
STEPS: Final = {"hour": "Hour", "day": "Day"}
GROUPS: Final = {"machine": "Machine", "meter": "Meter"}
READINGS: Final = ("cpu_percent_samples", "memory_percent_samples")  # What a per-sample tariff counts.
MEASURES: Final = ("cpu", "memory", "disk", "network_in", "network_out", "disk_read", "disk_write", *READINGS)
MAX_DAYS: Final = 366
MAX_HOURLY: Final = timedelta(days=32)
OLDEST: Final = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Selection:
    """What to show. `problem` says what was asked for in vain; the rest is then the nearest that can be shown."""

    range: str
    period: Period
    step: str
    group: str
    measure: str
    machine: str
    problem: str = ""


def selection(query: Mapping[str, str], zone: ZoneInfo, now: datetime, measure: str = "cpu") -> Selection:
    """Read the explorer's address; `measure` is shown where it names none.

    Nothing in it can fail: what is unknown or too much falls back, and `problem` says so.
    """
    asked = query.get("range", "this-month")
    period, problem = _period(asked, query, zone, now)
    wanted = _one_of(STEPS, query.get("step"), "hour" if period.end - period.start <= timedelta(days=8) else "day")
    step = wanted if period.end - period.start <= MAX_HOURLY else "day"
    if step != wanted:
        problem = problem or "Hours can be shown for up to 32 days at a time; these are days."
    return Selection(
        range=_one_of(RANGES, asked, "this-month"),
        period=period,
        step=step,
        group=_one_of(GROUPS, query.get("group"), "machine"),
        measure=_one_of({meter: METERS[meter] for meter in MEASURES}, query.get("measure"), measure),
        machine=query.get("machine", ""),
        problem=problem,
    )


def so_far(period: Period, now: datetime) -> Period:
    """Cut a running period behind the quarter hour that is now."""
    end = from_ms(bucket_start(to_ms(now)) + BUCKET_MS)
    return Period(period.start, max(min(period.end, end), from_ms(period.start_ms + BUCKET_MS)))


def _period(asked: str, query: Mapping[str, str], zone: ZoneInfo, now: datetime) -> tuple[Period, str]:
    this_month = month_of(now, zone)
    if asked == "last-month":
        return month_of(this_month.start - timedelta(seconds=1), zone), ""
    if asked == "last-7-days":
        today = now.astimezone(zone).date()
        return so_far(Period(day_start(today - timedelta(days=6), zone), this_month.end), now), ""
    if asked == "custom":
        return _custom(query, zone, now)
    return so_far(this_month, now), ""


def _custom(query: Mapping[str, str], zone: ZoneInfo, now: datetime) -> tuple[Period, str]:
    """Both days belong to the range. The future holds no usage, so it ends with the current quarter hour."""
    today = now.astimezone(zone).date()
    try:
        first, last = date.fromisoformat(query.get("first", "")), date.fromisoformat(query.get("last", ""))
    except ValueError:
        return so_far(month_of(now, zone), now), "Choose a first and a last day. This is the current month."
    if first > today or first < OLDEST or last < first:
        return so_far(month_of(now, zone), now), "The first day must come before the last, and not lie ahead."
    last = min(last, today)
    problem = ""
    if (last - first).days >= MAX_DAYS:
        last, problem = first + timedelta(days=MAX_DAYS - 1), f"A range can be {MAX_DAYS} days long; this one was cut."
    return so_far(Period(day_start(first, zone), day_start(last + timedelta(days=1), zone)), now), problem


def _one_of(known: Mapping[str, object], asked: str | None, otherwise: str) -> str:
    return asked if asked is not None and asked in known else otherwise
