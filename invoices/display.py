"""Whole numbers and exact texts as a customer reads them; how is decided in accounts/formats.py. Nothing is computed here."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from babel.dates import format_date

from accounts import formats
from invoices.money import PRICE_PLACES, amount_text, decimal_text, parse_exact, places_of
from usage.periods import Period

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def money(amount_minor: int, currency: str, locale: str) -> str:
    """Return an amount such as €1,240.00, with the decimals of ISO 4217 whatever the locale says."""
    return _narrow(formats.money(Decimal(amount_text(amount_minor, currency)), currency, locale, places_of(currency)))


def exact_money(exact: str, currency: str, locale: str) -> str:
    """Return an exact amount in major units to be read, cut after nine decimals with an ellipsis."""
    value = parse_exact(exact)
    cut = int(value * 10**PRICE_PLACES)
    ends = Fraction(cut, 10**PRICE_PLACES) == value
    text = decimal_text(cut, PRICE_PLACES, at_least=places_of(currency) if ends else PRICE_PLACES)
    return _narrow(formats.money(Decimal(text), currency, locale, _places(text))) + ("" if ends else ELLIPSIS)


def quantity(text: str, locale: str) -> str:
    """Return a decimal string with the locale's separators and all its decimals."""
    return formats.number(Decimal(text), _places(text), locale)


def percent(part: int, whole: int, locale: str) -> str:
    """Return a share of a whole, cut after two decimals: 99.999 % is not all."""
    return formats.percent(Fraction(part, whole) if whole else Fraction(1), 2, locale)


def day(value: date, locale: str) -> str:
    """Return a date such as 4 December 2026."""
    return format_date(value, format="long", locale=formats.word_locale(locale))


def period(span: Period, zone: ZoneInfo, locale: str) -> str:
    """Return a period as people name it: a month by its name, else its first and last day."""
    first, end = span.start.astimezone(zone), span.end.astimezone(zone)
    whole = (first.day, end.day) == (1, 1) and (first + timedelta(days=32)).month == end.month
    return formats.day(span.start, zone, locale, "yMMMM") if whole else formats.span(span.start, span.end, zone, locale)


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def _narrow(text: str) -> str:
    """The yen sign of Japanese locales is a wide one, which text fonts lack."""
    return text.replace("\N{FULLWIDTH YEN SIGN}", "\N{YEN SIGN}")
