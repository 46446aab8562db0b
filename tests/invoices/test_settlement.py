"""Conventions 6 and 7: discounts in their order, tax once per rate, then credits. Amounts in cents, worked out by hand."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoices.settlement import DiscountTerms, TaxTerms, settle

TEN_PERCENT = DiscountTerms("Ten percent", share=Fraction("0.10"))
FIVE_OFF = DiscountTerms("Five off", fixed_minor=500)
VAT = TaxTerms("VAT", Fraction("0.19"))


def test_discounts_are_taken_off_in_their_listed_order() -> None:
    """100.00 less 10 % less 5.00 is 85.00; the other way round it is 85.50."""
    assert settle([10_000], [TEN_PERCENT, FIVE_OFF]).total_minor == 8_500
    assert settle([10_000], [FIVE_OFF, TEN_PERCENT]).total_minor == 8_550


def test_a_percentage_is_rounded_once_over_all_its_lines() -> None:
    """10 % of 0.05 + 0.05 + 0.05 is 0.015, so 0.02; rounded line by line it would be 0.03."""
    settled = settle([5, 5, 5], [TEN_PERCENT])

    assert settled.discounts == (2,)
    assert settled.net_minor == (4, 4, 5)


def test_a_fixed_discount_stops_at_zero_and_is_spread_in_proportion() -> None:
    assert settle([300], [FIVE_OFF]).total_minor == 0
    assert settle([3_000, 1_000], [FIVE_OFF]).net_minor == (2_625, 875)


def test_a_discount_leaves_other_lines_alone() -> None:
    settled = settle([1_000, 2_000], [DiscountTerms("On the first", share=Fraction("0.5"), lines=frozenset({0}))])

    assert settled.net_minor == (500, 2_000)


def test_what_is_given_back_is_given_back_at_the_discounted_price() -> None:
    assert settle([-5_000], [TEN_PERCENT, FIVE_OFF], [VAT]).total_minor == -5_355


def test_tax_is_rounded_once_per_rate_and_on_demand_per_line() -> None:
    """19 % of 0.13 is 0.0247: three such lines are 0.07 of tax together and 0.06 one by one."""
    assert settle([13, 13, 13], taxes=[VAT]).tax_minor == 7
    assert settle([13, 13, 13], taxes=[VAT], tax_per_line=True).tax_minor == 6


def test_several_rates_do_not_compound() -> None:
    """Quebec: 5 % GST and 9.975 % QST, both on the price: 100.00 comes to 114.98 (Revenu Québec)."""
    settled = settle([10_000], taxes=[TaxTerms("GST", Fraction("0.05")), TaxTerms("QST", Fraction("0.09975"))])

    assert [tax.amount_minor for tax in settled.taxes] == [500, 998]
    assert settled.total_minor == 11_498


def test_each_rate_is_charged_on_its_own_lines_after_discounts() -> None:
    seven = TaxTerms("Reduced", Fraction("0.07"), lines=frozenset({1}))
    nineteen = TaxTerms("Standard", Fraction("0.19"), lines=frozenset({0}))

    settled = settle([3_000, 1_000], [FIVE_OFF], [nineteen, seven])

    assert [(tax.base_minor, tax.amount_minor) for tax in settled.taxes] == [(2_625, 499), (875, 61)]
    assert settled.total_minor == 4_060


def test_a_tax_that_prices_include_leaves_the_total() -> None:
    """119.00 holds 19.00 of 19 % tax."""
    settled = settle([11_900], taxes=[TaxTerms("VAT", Fraction("0.19"), included=True)])

    assert (settled.tax_minor, settled.total_minor) == (1_900, 11_900)


def test_two_included_taxes_come_off_together() -> None:
    rates = [TaxTerms("A", Fraction("0.10"), included=True), TaxTerms("B", Fraction("0.15"), included=True)]

    assert [tax.amount_minor for tax in settle([12_500], taxes=rates).taxes] == [1_000, 1_500]


def test_credits_come_after_tax_and_pay_no_more_than_is_due() -> None:
    settled = settle([10_000], taxes=[VAT], credits_minor=[5_000, 9_000])

    assert (settled.gross_minor, settled.credits, settled.total_minor) == (11_900, (5_000, 6_900), 0)
    assert settle([-100], credits_minor=[500]).credits == (0,)


amounts = st.lists(st.integers(-(10**6), 10**6), max_size=6)
shares = st.fractions(0, 1, max_denominator=1000)


@given(amounts, st.lists(shares.map(lambda share: DiscountTerms("", share=share)) | st.just(FIVE_OFF), max_size=3), shares)
@settings(max_examples=200, deadline=None)
def test_lines_after_discounts_always_add_up_to_what_is_taxed(lines: list[int], off: list[DiscountTerms], rate: Fraction) -> None:
    settled = settle(lines, off, [TaxTerms("", rate)])

    assert sum(settled.net_minor) == settled.subtotal_minor - settled.discount_minor == settled.taxes[0].base_minor
    assert settled.total_minor == sum(settled.net_minor) + settled.tax_minor


@pytest.mark.parametrize("share", [Fraction("0.5"), Fraction(1)])
def test_lines_that_cancel_out_are_discounted_by_nothing(share: Fraction) -> None:
    assert settle([100, -100], [DiscountTerms("", share=share)]).net_minor == (100, -100)
