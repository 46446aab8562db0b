"""Cuts a span into the windows that a report asks for: quarter hours, or hours, days and months of a customer's zone. Pure."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from usage.periods import BUCKET_MS, Period, days_of, from_ms, month_of

# How long a span may be asked for at each granularity, in days; a longer one is asked for in parts.
MAX_DAYS = {"quarter": 92, "hour": 366, "day": 1_100, "month": 3_700}


def windows(period: Period, granularity: str, zone: ZoneInfo) -> list[Period]:
    """Return the windows that the period touches, in order, the first and the last cut to the period."""
    match granularity:
        case "quarter":
            return [_quarter(ms) for ms in range(period.start_ms, period.end_ms, BUCKET_MS)]
        case "hour":
            return list(_hours(period, zone))
        case "day":
            return list(days_of(period, zone))
        case "month":
            return list(_months(period, zone))
    raise ValueError(f"No such granularity: {granularity}")


def _quarter(start_ms: int) -> Period:
    return Period(from_ms(start_ms), from_ms(start_ms + BUCKET_MS))


def _hours(period: Period, zone: ZoneInfo) -> Iterator[Period]:
    """Local hours: where the offset is 5:30, they begin at half past in UTC."""
    start = period.start
    while start < period.end:
        local = start.astimezone(zone)
        end = start + timedelta(hours=1) - timedelta(minutes=local.minute, seconds=local.second)
        yield Period(start, min(end, period.end))
        start = end


def _months(period: Period, zone: ZoneInfo) -> Iterator[Period]:
    start = period.start
    while start < period.end:
        end = month_of(start, zone).end
        yield Period(start, min(end, period.end))
        start = end
