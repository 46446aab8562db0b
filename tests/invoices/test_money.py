"""Amounts are whole numbers, prices exact, and a half goes away from zero."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoices import money


@pytest.mark.parametrize(("currency", "places"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("USD", 2)])
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, places: int) -> None:
    assert money.places_of(currency) == places


@pytest.mark.parametrize("code", ["eur", "EURO", "", "E1R"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        money.places_of(code)


@pytest.mark.parametrize(
    ("exact", "currency", "minor"),
    [
        ("2.487", "USD", 249),
        ("0.005", "EUR", 1),
        ("0.0049999", "EUR", 0),
        ("-0.005", "EUR", -1),
        ("-0.0049999", "EUR", 0),
        ("1.5", "JPY", 2),
        ("2.5", "JPY", 3),
        ("0.0005", "KWD", 1),
        ("1.005", "EUR", 101),
    ],
)
def test_a_line_is_rounded_half_away_from_zero(exact: str, currency: str, minor: int) -> None:
    assert money.to_minor(Fraction(exact), currency) == minor


@pytest.mark.parametrize(
    ("text", "nano"), [("0.042", 42_000_000), ("0.000000001", 1), ("9", 9_000_000_000), ("1.50", 1_500_000_000)]
)
def test_a_price_is_read_exactly(text: str, nano: int) -> None:
    assert money.parse_decimal(text, money.PRICE_PLACES) == nano


@pytest.mark.parametrize("text", ["0.0000000001", "1e-3", "0,5", "", ".5", "1.", "NaN", " 1", "+1", "\u0661"])
def test_a_price_that_would_lose_digits_or_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        money.parse_decimal(text, money.PRICE_PLACES)


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(1240, "EUR", "12.40"), (-5, "EUR", "-0.05"), (1240, "JPY", "1240"), (5, "KWD", "0.005")]
)
def test_an_amount_is_written_with_its_decimals(minor: int, currency: str, text: str) -> None:
    assert money.amount_text(minor, currency) == text


@pytest.mark.parametrize(("value", "text"), [("1/4", "0.25"), ("1/3", "1/3"), ("-7/2", "-3.5"), ("12", "12")])
def test_an_exact_value_is_written_as_a_decimal_or_a_fraction(value: str, text: str) -> None:
    assert money.exact_text(Fraction(value)) == text
    assert money.parse_exact(text) == Fraction(value)


def test_a_split_amount_adds_up_and_the_largest_remainder_gets_the_rest() -> None:
    assert money.spread(100, [1, 1, 1]) == [34, 33, 33]
    assert money.spread(-100, [1, 1, 1]) == [-34, -33, -33]
    assert money.spread(5, [0, 0]) == [0, 0]


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any))
@settings(max_examples=200, deadline=None)
def test_any_split_adds_up(amount: int, weights: list[int]) -> None:
    assert sum(money.spread(amount, weights)) == amount


@given(st.integers(1 - 10**18, 10**18 - 1), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_a_decimal_is_read_back_as_it_was_written(value: int, places: int) -> None:
    assert money.parse_decimal(money.decimal_text(value, places), places) == value
