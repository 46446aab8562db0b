"""What the usage explorer was asked for: the address says it all, so a link shows the same to whoever opens it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from usage.meters import METERS
from usage.periods import BUCKET_MS, Period, bucket_start, day_start, from_ms, month_of, to_ms

RANGES: Final = {
    "last-24-hours": "Last 24 hours",
    "last-7-days": "Last 7 days",
    "last-30-days": "Last 30 days",
    "this-month": "This month",
    "last-month": "Last month",
    "last-90-days": "Last 90 days",
    "last-12-months": "Last 12 months",
    "custom": "Custom",
}
STEPS: Final = {"hour": "Hour", "day": "Day", "month": "Month"}
GROUPS: Final = {"machine": "Machine", "meter": "Meter", "class": "Class"}
PICTURES: Final = {"stack": "Stacked", "line": "Line graph", "heat": "Heat map"}
READINGS: Final = ("cpu_percent_samples", "memory_percent_samples")  # What a per-sample tariff counts.
MEASURES: Final = ("cpu", "memory", "disk", "network_in", "network_out", "disk_read", "disk_write", *READINGS)
MAX_DAYS: Final = 366
MAX_HOURLY: Final = timedelta(days=32)
FEW_DAYS: Final = timedelta(days=8)
MANY_DAYS: Final = timedelta(days=100)
OLDEST: Final = date(2000, 1, 1)
MONTHS_BACK: Final = {"this-month": 1, "last-month": 1, "last-12-months": 12}  # What "the period before" is for calendar months.


@dataclass(frozen=True, slots=True)
class Selection:
    """What to show. `problem` says what was asked for in vain; the rest is then the nearest that can be shown."""

    range: str
    period: Period
    step: str
    group: str
    measure: str
    picture: str
    machine: str
    machine_class: str | None
    search: str
    compare: bool
    problem: str = ""


def selection(query: Mapping[str, str], zone: ZoneInfo, now: datetime, measure: str = "cpu") -> Selection:
    """Read the explorer's address; `measure` is shown where it names none.

    Nothing in it can fail: what is unknown or too much falls back, and `problem` says so.
    """
    asked = query.get("range", "this-month")
    period, problem = _period(asked, query, zone, now)
    picture = _one_of(PICTURES, query.get("picture"), "stack")
    step, too_fine = _step(query.get("step"), picture, period.end - period.start)
    return Selection(
        range=_one_of(RANGES, asked, "this-month"),
        period=period,
        step=step,
        group=_one_of(GROUPS, query.get("group"), "machine"),
        measure=_one_of({meter: METERS[meter] for meter in MEASURES}, query.get("measure"), measure),
        picture="stack" if picture == "heat" and step != "hour" else picture,
        machine=query.get("machine", ""),
        machine_class=query.get("class"),
        search=query.get("q", "").strip()[:100],
        compare=query.get("compare") == "previous" and picture != "heat",
        problem=problem or too_fine,
    )


def so_far(period: Period, now: datetime) -> Period:
    """Cut a running period behind the quarter hour that is now."""
    end = from_ms(bucket_start(to_ms(now)) + BUCKET_MS)
    return Period(period.start, max(min(period.end, end), from_ms(period.start_ms + BUCKET_MS)))


def previous(selected: Selection, zone: ZoneInfo) -> Period:
    """The span before, as long by the clock on the wall: the month before for a month, as many days before for days."""
    start, end = (instant.astimezone(zone).replace(tzinfo=None) for instant in (selected.period.start, selected.period.end))
    months = MONTHS_BACK.get(selected.range)
    if months:
        earlier = (start.year * 12 + start.month - 1) - months
        first = start.replace(year=earlier // 12, month=earlier % 12 + 1)
    else:
        first = start - timedelta(days=-(-(end - start) // timedelta(days=1)))
    began = _instant(first, zone)
    whole_month = selected.range == "last-month"
    ended = selected.period.start if whole_month else min(_instant(first + (end - start), zone), selected.period.start)
    return Period(began, max(ended, from_ms(to_ms(began) + BUCKET_MS)))


def _step(asked: str | None, picture: str, length: timedelta) -> tuple[str, str]:
    """The step to show, and a word where hours were asked for in vain."""
    usual = "hour" if length <= FEW_DAYS else "day" if length <= MANY_DAYS else "month"
    wanted = "hour" if picture == "heat" else _one_of(STEPS, asked, usual)
    if wanted != "hour" or length <= MAX_HOURLY:
        return wanted, ""
    said = (
        _("A heat map shows up to %(days)d days at a time; these are days.")
        if picture == "heat"
        else _("Hours can be shown for up to %(days)d days at a time; these are days.")
    )
    return "day", said % {"days": MAX_HOURLY.days}


def _period(asked: str, query: Mapping[str, str], zone: ZoneInfo, now: datetime) -> tuple[Period, str]:
    if asked == "custom":
        return _custom(query, zone, now)
    this_month = month_of(now, zone)
    if asked == "last-month":
        return month_of(this_month.start - timedelta(seconds=1), zone), ""
    start = _STARTS.get(asked, _this_month)(now, zone)
    return so_far(Period(start, this_month.end), now), ""


def _this_month(now: datetime, zone: ZoneInfo) -> datetime:
    return month_of(now, zone).start


def _a_year_of_months(now: datetime, zone: ZoneInfo) -> datetime:
    """Twelve calendar months, the running one among them."""
    local = now.astimezone(zone).date()
    first = date(local.year - (local.month < 12), local.month % 12 + 1, 1)
    return day_start(first, zone)


def _days_back(days: int) -> Callable[[datetime, ZoneInfo], datetime]:
    """So many local days, today among them."""
    return lambda now, zone: day_start(now.astimezone(zone).date() - timedelta(days=days - 1), zone)


def _a_day_of_hours(now: datetime, zone: ZoneInfo) -> datetime:
    """Twenty-four hours, the running one among them."""
    local = now.astimezone(zone)
    return now - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond) - timedelta(hours=23)


_STARTS: Final[Mapping[str, Callable[[datetime, ZoneInfo], datetime]]] = {
    "last-24-hours": _a_day_of_hours,
    "last-7-days": _days_back(7),
    "last-30-days": _days_back(30),
    "last-90-days": _days_back(90),
    "last-12-months": _a_year_of_months,
}


def _custom(query: Mapping[str, str], zone: ZoneInfo, now: datetime) -> tuple[Period, str]:
    """Both days belong to the range. The future holds no usage, so it ends with the current quarter hour."""
    today = now.astimezone(zone).date()
    try:
        first, last = date.fromisoformat(query.get("first", "")), date.fromisoformat(query.get("last", ""))
    except ValueError:
        return so_far(month_of(now, zone), now), _("Choose a first and a last day. This is the current month.")
    if first > today or first < OLDEST or last < first:
        return so_far(month_of(now, zone), now), _("The first day must come before the last, and not lie ahead.")
    last = min(last, today)
    problem = ""
    if (last - first).days >= MAX_DAYS:
        last, problem = (
            first + timedelta(days=MAX_DAYS - 1),
            _("A range can be %(days)d days long; this one was cut.") % {"days": MAX_DAYS},
        )
    return so_far(Period(day_start(first, zone), day_start(last + timedelta(days=1), zone)), now), problem


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    """A local time as an instant; a time that clocks skip is read by the offset before."""
    return local.replace(tzinfo=zone).astimezone(UTC)


def _one_of(known: Mapping[str, object], asked: str | None, otherwise: str) -> str:
    return asked if asked is not None and asked in known else otherwise
