"""Numbers and dates as a customer reads them: locale and currency, from exact values. Nothing is computed from these. Pure."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal, parse_pattern

from invoices.money import PRICE_PLACES, amount_text, decimal_text, parse_exact, places_of

DEFAULT_LOCALE = "en-GB"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def locale_of(name: str) -> Locale:
    """Return a locale by its name such as de-DE, or the default where Babel knows none."""
    try:
        return Locale.parse(name, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(DEFAULT_LOCALE, sep="-")


def money(amount_minor: int, currency: str, locale: str) -> str:
    """Return an amount such as €1,240.00, with the decimals of ISO 4217 whatever the locale says."""
    return _currency(amount_text(amount_minor, currency), currency, locale)


def exact_money(exact: str, currency: str, locale: str) -> str:
    """Return an exact amount in major units to be read, cut after nine decimals with an ellipsis."""
    value = parse_exact(exact)
    cut = int(value * 10**PRICE_PLACES)
    ends = Fraction(cut, 10**PRICE_PLACES) == value
    text = decimal_text(cut, PRICE_PLACES, at_least=places_of(currency) if ends else PRICE_PLACES)
    return _currency(text, currency, locale) + ("" if ends else ELLIPSIS)


def quantity(text: str, locale: str) -> str:
    """Return a decimal string with the locale's separators and all its decimals."""
    places = len(text.partition(".")[2])
    return format_decimal(Decimal(text), format="#,##0" + ("." + "0" * places if places else ""), locale=locale_of(locale))


def percent(part: int, whole: int, locale: str) -> str:
    """Return a share with two decimals, rounded down: 99.999 % is not all."""
    hundredths = part * 10_000 // whole if whole else 10_000
    shown = format_decimal(Decimal(decimal_text(hundredths, 2)), locale=locale_of(locale))
    return f"{shown}\N{NO-BREAK SPACE}%"


def day(value: date, locale: str) -> str:
    """Return a date such as 4 December 2026."""
    return format_date(value, format="long", locale=locale_of(locale))


def _currency(text: str, currency: str, locale: str) -> str:
    """Format a decimal string with as many decimals as it has."""
    known = locale_of(locale)
    pattern = parse_pattern(known.currency_formats["standard"].pattern)
    places = len(text.partition(".")[2])
    pattern.frac_prec = (places, places)
    shown: str = pattern.apply(Decimal(text), known, currency=currency, currency_digits=False)
    return shown
