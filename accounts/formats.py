"""How numbers, money and moments are written: the customer's locale, currency and zone, words in the active language.

Never a float.
"""

import re
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_interval, format_skeleton, get_timezone_name
from babel.numbers import NumberPattern, format_currency, format_decimal, format_percent, get_currency_precision, parse_pattern
from django.utils.translation import get_language
from django.utils.translation import gettext as _

FALLBACK = "en_GB"
UTC_ZONE = ZoneInfo("UTC")
MINUS = "\u2212"


# What is written once is often written again: pages ask for each of their numbers, and the past does not change.
@lru_cache(maxsize=256)
def number_locale(locale: str) -> str:
    """Return a locale tag such as `de-DE` as Babel writes it; one that nobody knows is British English."""
    try:
        return str(Locale.parse(locale.replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        return FALLBACK


def word_locale(locale: str) -> str:
    """Return the locale for words such as month names: the customer's where it speaks the page's language, else that one's."""
    known, active = number_locale(locale), number_locale(get_language() or FALLBACK)
    return known if known.split("_")[0] == active.split("_")[0] else active


@lru_cache(maxsize=8_192)
def number(value: Decimal | int, digits: int, locale: str) -> str:
    """Write a number with exactly so many digits after the point, rounded half up."""
    rounded = _unsigned_zero(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return _minus(format_decimal(rounded, _decimals(digits), locale=number_locale(locale)))


def quantity(base: int, per_unit: int, digits: int, locale: str) -> str:
    """Write a quantity kept in base units in its display unit, rounded half up from the exact ratio."""
    return number(decimal_of(Fraction(base, per_unit), digits), digits, locale)


def decimal_of(exact: Fraction, digits: int) -> Decimal:
    """Round a fraction half away from zero to so many digits."""
    scaled = abs(exact) * 10**digits
    whole = int(scaled + Fraction(1, 2))
    return Decimal(-whole if exact < 0 else whole).scaleb(-digits)


@lru_cache(maxsize=8_192)
def money(amount: Decimal, currency: str, locale: str, digits: int | None = None) -> str:
    """Write an amount of money with the currency's digits, or with so many as a unit price needs."""
    places = get_currency_precision(currency) if digits is None else digits
    known = number_locale(locale)
    plain = _unsigned_zero(Decimal(amount).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))
    text = _minus(format_currency(plain, currency, _amounts(known, places), locale=known, currency_digits=False))
    return re.sub(r"(?<=[A-Za-z])(?=\d)", "\u00a0", text)  # KWD 1.500, as a letter beside a digit reads badly.


def running(exact: Decimal, currency: str, locale: str) -> str:
    """Write a running total with two digits more than the currency has; what lies below them is cut, not rounded."""
    digits = get_currency_precision(currency) + 2
    return money(exact.quantize(Decimal(1).scaleb(-digits), ROUND_DOWN), currency, locale, digits)


@lru_cache(maxsize=2_048)
def percent(share: Fraction, digits: int, locale: str) -> str:
    """Write a share of one as a percentage. 99.996 % of coverage is not 100 %, so it is cut, not rounded."""
    cut = Decimal(int(share * 100 * 10**digits)).scaleb(-digits)
    places = digits if cut != int(cut) else 0
    return format_percent(cut / 100, f"#,##0.{'0' * places} %" if places else "#,##0 %", locale=number_locale(locale))


def day(instant: datetime, zone: ZoneInfo, locale: str, skeleton: str = "yMMMd") -> str:
    """Write the local day of an instant; the skeleton says what to show (`yMMMd`, `MMMEd`, `yMMMM`), the locale how."""
    return _skeleton(skeleton, instant, zone, word_locale(locale))


@lru_cache(maxsize=4_096)
def _skeleton(skeleton: str, instant: datetime, zone: ZoneInfo, locale: str) -> str:
    return str(format_skeleton(skeleton, instant.astimezone(zone), tzinfo=zone, fuzzy=True, locale=locale))


def minute(instant: datetime, zone: ZoneInfo, locale: str, skeleton: str = "MMMd") -> str:
    """Write the local day and the time of day to the minute, on a 24-hour clock."""
    return f"{day(instant, zone, locale, skeleton)}, {instant.astimezone(zone):%H:%M}"


def span(start: datetime, end: datetime, zone: ZoneInfo, locale: str) -> str:
    """Write the local days of [start, end) with the last day that belongs to it: `1 to 30 Nov 2026`."""
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    if first == last:
        return day(start, zone, locale)
    if not word_locale(locale).startswith("en"):
        return format_interval(first, last, "yMMMd", fuzzy=True, locale=word_locale(locale))
    if (first.year, first.month) == (last.year, last.month) and word_locale(locale) != "en_US":
        return f"{first.day} to {day(end - timedelta(microseconds=1), zone, locale)}"
    skeleton = "MMMd" if first.year == last.year else "yMMMd"
    return f"{day(start, zone, locale, skeleton)} to {day(end - timedelta(microseconds=1), zone, locale)}"


def time_of_day(instant: datetime, zone: ZoneInfo) -> str:
    """Write hours, minutes and seconds on a 24-hour clock."""
    return f"{instant.astimezone(zone):%H:%M:%S}"


def zone_words(zone: ZoneInfo, at: datetime, locale: str) -> str:
    """Name a zone as it is at an instant: `Central European Standard Time, UTC+01:00`."""
    offset = at.astimezone(zone).strftime("%z")
    name = get_timezone_name(at.astimezone(zone), locale=word_locale(locale))
    return f"{name}, UTC{offset[:3].replace('-', MINUS)}:{offset[3:]}"


def ago(seconds: int) -> str:
    """Say how long ago something was, in one unit or two."""
    if seconds < 60:
        return _("%(seconds)d s ago") % {"seconds": max(seconds, 0)}
    if seconds < 3600:
        return _("%(minutes)d min ago") % {"minutes": seconds // 60}
    if seconds < 86_400:
        return _("%(hours)d h %(minutes)d min ago") % {"hours": seconds // 3600, "minutes": seconds % 3600 // 60}
    return _("%(days)d d %(hours)d h ago") % {"days": seconds // 86_400, "hours": seconds % 86_400 // 3600}


@lru_cache(maxsize=32)
def _decimals(digits: int) -> NumberPattern:
    return parse_pattern(f"#,##0.{'0' * digits}" if digits else "#,##0")


@lru_cache(maxsize=256)
def _amounts(known: str, places: int) -> NumberPattern:
    """A locale's pattern for money, with so many decimals."""
    return parse_pattern(_with_digits(Locale.parse(known).currency_formats["standard"].pattern, places))


def _with_digits(pattern: str, places: int) -> str:
    """Give a currency pattern of the locale so many decimals."""
    return re.sub(r"0\.0+", "0." + "0" * places if places else "0", pattern)


def _unsigned_zero(value: Decimal) -> Decimal:
    """Nothing is nothing, also where it was rounded from below; and to a cache 0 and -0 are the same."""
    return value or abs(value)


def _minus(text: str) -> str:
    """A minus sign as wide as a plus, where the locale writes a hyphen."""
    return text.replace("-", MINUS)
