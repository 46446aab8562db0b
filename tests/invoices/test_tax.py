"""Which tax is charged: two countries, a tax id, and the day decide."""

from datetime import date

import pytest

from invoices.tax import OUTSIDE, REVERSE_CHARGE, Rate, Tax, TaxError, tax_of
from invoices.tax_rates import TAX_RATES

RATES = [Rate(country, date.fromisoformat(since), name, rate) for country, since, name, rate in TAX_RATES]
DAY = date(2026, 10, 31)
GERMAN = Tax("USt", "S", 190_000)


@pytest.mark.parametrize(
    ("seller", "customer", "tax_id", "tax"),
    [
        ("", "DE", "", None),
        ("DE", "DE", "DE123", GERMAN),
        ("DE", "", "", GERMAN),
        ("DE", "FR", "", Tax("TVA", "S", 200_000)),
        ("DE", "FR", "FR40303265045", Tax("VAT", "AE", 0, REVERSE_CHARGE)),
        ("DE", "FR", "FR 40 303 265 045", Tax("VAT", "AE", 0, REVERSE_CHARGE)),
        ("DE", "GR", "EL123456789", Tax("VAT", "AE", 0, REVERSE_CHARGE)),
        ("DE", "FR", "x", Tax("TVA", "S", 200_000)),
        ("DE", "FR", "40303265045", Tax("TVA", "S", 200_000)),
        ("DE", "FR", "DE123456789", Tax("TVA", "S", 200_000)),
        ("DE", "US", "", Tax("", "O", 0, OUTSIDE)),
        ("DE", "CH", "CHE-1", Tax("", "O", 0, OUTSIDE)),
        ("JP", "JP", "", Tax("JCT", "S", 100_000)),
    ],
)
def test_the_two_countries_and_the_tax_id_decide(seller: str, customer: str, tax_id: str, tax: Tax | None) -> None:
    assert tax_of(seller, customer, tax_id, RATES, DAY) == tax


@pytest.mark.parametrize(
    ("day", "rate_micro"),
    [(date(2020, 6, 30), 190_000), (date(2020, 7, 1), 160_000), (date(2020, 12, 31), 160_000), (date(2021, 1, 1), 190_000)],
)
def test_a_rate_holds_from_its_day_until_the_next(day: date, rate_micro: int) -> None:
    """Germany's half year of 16 % in 2020."""
    tax = tax_of("DE", "DE", "", RATES, day)

    assert tax is not None
    assert tax.rate_micro == rate_micro


def test_a_rate_that_nobody_knows_is_an_error_and_not_zero() -> None:
    with pytest.raises(TaxError, match="No tax rate of AU is known for 2026-10-31"):
        tax_of("AU", "AU", "", RATES, DAY)
