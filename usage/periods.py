"""Time on the bill: quarter hours in UTC, calendar days and months in a customer's zone. Half-open throughout. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

BUCKET_MS = 15 * 60 * 1000


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A span [start, end) of aware UTC instants."""

    start: datetime
    end: datetime

    @property
    def start_ms(self) -> int:
        """The start in epoch milliseconds."""
        return to_ms(self.start)

    @property
    def end_ms(self) -> int:
        """The end in epoch milliseconds, itself outside."""
        return to_ms(self.end)

    @property
    def length_ms(self) -> int:
        """How long it is in elapsed milliseconds: a month with a change of clocks is an hour longer or shorter."""
        return self.end_ms - self.start_ms


def to_ms(instant: datetime) -> int:
    """Return an aware instant as epoch milliseconds, exactly (no float on the way)."""
    if instant.tzinfo is None:
        raise ValueError("A datetime without a zone names no instant.")
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Return the UTC instant of an epoch millisecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def bucket_start(ms: int) -> int:
    """Return the start of the quarter hour that holds this epoch millisecond."""
    return ms - ms % BUCKET_MS


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day in UTC; where clocks skip midnight, that is the first instant after it."""
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    start = midnight.astimezone(UTC)
    if start.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return start
    return _end_of_gap(midnight)


def _end_of_gap(missing: datetime) -> datetime:
    """The instant at which clocks jumped over a local time that does not exist: where its two readings as UTC meet."""
    before = missing.replace(fold=0).utcoffset()
    after = missing.replace(fold=1).utcoffset()
    if before is None or after is None:
        raise ValueError("A datetime without a zone names no instant.")
    # fold=0 in a gap reads with the offset before the jump, so the gap began that much earlier.
    low = missing.replace(tzinfo=UTC) - max(before, after)
    high = missing.replace(tzinfo=UTC) - min(before, after)
    zone = missing.tzinfo
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def month_of(instant: datetime, zone: ZoneInfo) -> Period:
    """Return the local calendar month that holds an instant."""
    local = instant.astimezone(zone).date()
    return month(local.year, local.month, zone)


def month(year: int, number: int, zone: ZoneInfo) -> Period:
    """Return a local calendar month as [first instant, first instant of the next month)."""
    following = date(year + number // 12, number % 12 + 1, 1)
    return Period(day_start(date(year, number, 1), zone), day_start(following, zone))


def days_of(period: Period, zone: ZoneInfo) -> Iterator[Period]:
    """Yield the local days that a period touches, each cut to the period."""
    day = period.start.astimezone(zone).date()
    while (start := day_start(day, zone)) < period.end:
        day += timedelta(days=1)
        end = day_start(day, zone)
        if start < end:  # Samoa's 30 December 2011 has no instant.
            yield Period(max(start, period.start), min(end, period.end))
