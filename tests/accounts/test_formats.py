"""How numbers, money and times are written, with the literal text that a customer reads."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from accounts import formats
from accounts.templatetags.words import browser_words

BERLIN = ZoneInfo("Europe/Berlin")
AFTERNOON = datetime(2026, 11, 24, 13, 32, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "text"),
    [
        ("3629.76", "EUR", "en-GB", "€3,629.76"),
        ("-118.4", "EUR", "en-GB", "−€118.40"),
        ("1234.5", "EUR", "de-DE", "1.234,50\N{NO-BREAK SPACE}€"),
        ("1234.5", "USD", "en-US", "$1,234.50"),
        ("1200", "JPY", "en-US", "¥1,200"),
        ("1.5", "KWD", "en-GB", "KWD\N{NO-BREAK SPACE}1.500"),
        ("1234.5", "EUR", "xx-YY", "€1,234.50"),
        ("99999999999999.99", "EUR", "en-GB", "€99,999,999,999,999.99"),
    ],
)
def test_money(amount: str, currency: str, locale: str, text: str) -> None:
    assert formats.money(Decimal(amount), currency, locale) == text


def test_a_unit_price_keeps_the_decimals_it_is_given() -> None:
    assert formats.money(Decimal("0.042"), "EUR", "en-GB", 4) == "€0.0420"


@pytest.mark.parametrize(
    ("exact", "currency", "locale", "text"),
    [
        ("3629.7642", "EUR", "en-GB", "€3,629.7642"),
        ("3629.76999", "EUR", "en-GB", "€3,629.7699"),
        ("0.0042", "USD", "en-US", "$0.0042"),
        ("110.0352", "EUR", "de-DE", "110,0352\N{NO-BREAK SPACE}€"),
        ("1234.5678", "JPY", "en-US", "¥1,234.56"),
    ],
)
def test_a_running_total_shows_two_digits_below_the_smallest_coin(exact: str, currency: str, locale: str, text: str) -> None:
    assert formats.running(Decimal(exact), currency, locale) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(Fraction(1), "100 %"), (Fraction(99996, 100000), "99.99 %"), (Fraction(0), "0 %"), (Fraction(1, 3), "33.33 %")],
)
def test_coverage_is_never_rounded_up_to_all(share: Fraction, text: str) -> None:
    assert formats.percent(share, 2, "en-GB") == text


def test_a_quantity_is_rounded_half_up_from_the_exact_ratio() -> None:
    assert formats.quantity(5, 10_000, 3, "en-GB") == "0.001"
    assert formats.quantity(4, 10_000, 3, "en-GB") == "0.000"
    assert formats.quantity(3_600_000 * 1_234_567, 3_600_000, 3, "de-DE") == "1.234.567,000"


def test_days_and_times_are_the_customers_own() -> None:
    assert formats.day(AFTERNOON, BERLIN, "en-GB") == "24 Nov 2026"
    assert formats.day(AFTERNOON, BERLIN, "en-US") == "Nov 24, 2026"
    assert formats.minute(AFTERNOON, BERLIN, "en-GB") == "24 Nov, 14:32"
    assert formats.minute(AFTERNOON, ZoneInfo("America/New_York"), "en-US") == "Nov 24, 08:32"
    assert formats.time_of_day(AFTERNOON, BERLIN) == "14:32:08"


def test_words_stay_english_where_numbers_are_german() -> None:
    assert formats.day(AFTERNOON, BERLIN, "de-DE", "yMMMM") == "November 2026"
    assert formats.day(datetime(2026, 10, 1, tzinfo=UTC), BERLIN, "de-DE", "yMMMM") == "October 2026"


@pytest.mark.parametrize(
    ("start", "end", "locale", "text"),
    [
        (datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC), "en-GB", "1 to 30 Nov 2026"),
        (datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC), "en-US", "Nov 1 to Nov 30, 2026"),
        (datetime(2026, 11, 14, 23, tzinfo=UTC), datetime(2026, 12, 15, 23, tzinfo=UTC), "en-GB", "15 Nov to 15 Dec 2026"),
        (datetime(2026, 11, 14, 23, tzinfo=UTC), datetime(2026, 11, 15, 23, tzinfo=UTC), "en-GB", "15 Nov 2026"),
    ],
)
def test_a_span_names_the_last_day_that_belongs_to_it(start: datetime, end: datetime, locale: str, text: str) -> None:
    assert formats.span(start, end, BERLIN, locale) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (3_600, "1 h 0 min ago"), (90_000, "1 d 1 h ago")],
)
def test_how_long_ago(seconds: int, text: str) -> None:
    assert formats.ago(seconds) == text


def test_a_zone_is_explained() -> None:
    assert formats.zone_words(BERLIN, AFTERNOON, "en-GB") == "Central European Standard Time, UTC+01:00"
    assert formats.zone_words(ZoneInfo("America/New_York"), AFTERNOON, "en-US") == "Eastern Standard Time, UTC−05:00"


def test_a_browser_is_called_by_the_name_that_people_know() -> None:
    linux = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari/604.1"

    assert (browser_words(linux), browser_words(iphone)) == ("Chrome on Linux", "Safari on iPhone")
    assert browser_words(linux.replace("Safari", "Edg/142.0 Safari")) == "Edge on Linux"
    assert browser_words("curl/8.5.0") == "curl/8.5.0"
