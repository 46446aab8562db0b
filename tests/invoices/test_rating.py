"""Each convention of docs/money.md with amounts worked out by hand or taken from a provider's price list."""

from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from invoices.rating import Part, rate
from tests.invoices.rows import BERLIN, CPU, FEE, NOVEMBER, OCTOBER, amounts, machine, rated, utc, version
from usage.periods import Period, month

TIERS = [{"up_to": "100", "unit_price": "0.05"}, {"unit_price": "0.04"}]
GRADUATED = {"model": "graduated", "meter": "cpu", "tiers": TIERS}
VOLUME = {"model": "volume", "meter": "cpu", "tiers": TIERS}


def test_the_papers_tariff_costs_2_487_dollars_for_its_example() -> None:
    prices = (
        {"model": "sample_tariff", "meter": "cpu_percent_samples", "unit_price": "0.05"},
        {"model": "sample_tariff", "meter": "memory_percent_samples", "unit_price": "0.01"},
    )

    lines = rated(*prices, currency="USD", cpu_percent_samples="37.5", memory_percent_samples="61.2")

    assert [line.exact for line in lines] == [Fraction("1.875"), Fraction("0.612")]
    assert sum(line.exact for line in lines) == Fraction("2.487")
    assert amounts(lines) == [188, 61]  # Each line is rounded once, so the invoice says 2.49.


@pytest.mark.parametrize(
    ("quantity", "minor"), [("99", 495), ("100", 500), ("101", 504), ("100.5", 502), ("0.1", 1), ("0.09", 0)]
)
def test_graduated_the_hundredth_unit_still_belongs_to_the_tier(quantity: str, minor: int) -> None:
    assert amounts(rated(GRADUATED, cpu=quantity)) == [minor]


@pytest.mark.parametrize(("quantity", "minor"), [("99", 495), ("100", 500), ("101", 404), ("100.25", 401)])
def test_volume_prices_all_by_the_tier_it_ends_in(quantity: str, minor: int) -> None:
    assert amounts(rated(VOLUME, cpu=quantity)) == [minor]


def test_graduated_as_a_payment_provider_documents_it() -> None:
    """Stripe's example: 1-5 at 7, 6-10 at 6.50, from 11 at 6; six units cost 41.50 graduated and 39.00 by volume."""
    tiers = [{"up_to": "5", "unit_price": "7"}, {"up_to": "10", "unit_price": "6.50"}, {"unit_price": "6"}]

    graduated = rated({"model": "graduated", "meter": "cpu", "tiers": tiers}, cpu="6")
    volume = rated({"model": "volume", "meter": "cpu", "tiers": tiers}, cpu="6")

    assert amounts(graduated) == [4150]
    assert amounts(volume) == [3900]


def test_transfer_tiers_as_a_cloud_publishes_them() -> None:
    """First 100 GB free, then 0.09 to 10,240 GB, 0.085 to 51,200 GB, 0.07 to 153,600 GB, 0.05 beyond."""
    tiers = [
        {"up_to": "100", "unit_price": "0"},
        {"up_to": "10240", "unit_price": "0.09"},
        {"up_to": "51200", "unit_price": "0.085"},
        {"up_to": "153600", "unit_price": "0.07"},
        {"unit_price": "0.05"},
    ]

    lines = rated(
        {"model": "graduated", "meter": "network_out", "unit": "GiB", "tiers": tiers}, currency="USD", network_out="60000"
    )

    assert amounts(lines) == [91260 + 348160 + 61600]


def test_a_tiers_flat_fee_is_due_once_the_tier_is_entered() -> None:
    tiers = [{"up_to": "10", "unit_price": "0", "flat": "5"}, {"unit_price": "1", "flat": "2"}]
    price = {"model": "graduated", "meter": "cpu", "tiers": tiers}

    assert amounts(rated(price, cpu="1")) == [500]
    assert amounts(rated(price, cpu="10")) == [500]
    assert amounts(rated(price, cpu="11")) == [800]
    assert amounts(rated({**price, "model": "volume"}, cpu="11")) == [1300]


def test_without_usage_a_flat_fee_of_a_tier_is_due_only_where_the_price_says_so() -> None:
    tiers = [{"up_to": "10", "unit_price": "0", "flat": "5"}, {"unit_price": "1"}]
    price = {"model": "graduated", "meter": "cpu", "tiers": tiers}

    assert rated(price) == []
    assert amounts(rated({**price, "flat_when_zero": True})) == [500]
    assert amounts(rated({**price, "model": "volume", "flat_when_zero": True})) == [500]


@pytest.mark.parametrize(("quantity", "minor"), [("0.001", 250), ("1000", 250), ("1000.001", 500), ("2500", 750)])
def test_a_started_package_counts_whole(quantity: str, minor: int) -> None:
    price = {"model": "package", "meter": "network_out", "package_size": "1000", "package_price": "2.50"}

    assert amounts(rated(price, network_out=quantity)) == [minor]


def test_what_is_included_comes_off_before_tiers_and_packages() -> None:
    package = {"model": "package", "meter": "network_out", "package_size": "100", "package_price": "1", "included": "50"}

    assert amounts(rated({**GRADUATED, "included": "50"}, cpu="151")) == [504]
    assert amounts(rated(package, network_out="150")) == [100]
    assert amounts(rated(package, network_out="151")) == [200]


def test_usage_within_the_allowance_is_a_line_of_nothing_and_no_usage_is_no_line() -> None:
    price = {**CPU, "included": "10"}

    assert amounts(rated(price, cpu="10")) == [0]
    assert rated(price, cpu="0") == []
    assert rated(price) == []


def test_one_rounding_per_line_and_the_total_adds_the_lines() -> None:
    prices = [{**CPU, "unit_price": "0.005"}, {"model": "per_unit", "meter": "network_out", "unit_price": "0.005"}]

    lines = rated(*prices, cpu="1", network_out="1")

    assert amounts(lines) == [1, 1]
    assert sum(line.exact for line in lines) == Fraction("0.01")


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 1), ("KWD", 1235), ("EUR", 123)])
def test_an_amount_has_its_currencys_decimals(currency: str, minor: int) -> None:
    assert amounts(rated({**CPU, "unit_price": "1.2345"}, currency=currency, cpu="1")) == [minor]


def test_a_class_with_a_price_of_its_own_is_not_priced_twice() -> None:
    terms = version(CPU, {**CPU, "name": "GPU", "selector": "gpu", "unit_price": "1"})
    usage = [machine(terms, OCTOBER, "web-1", cpu="10"), machine(terms, OCTOBER, "gpu-1", "gpu", cpu="2")]

    lines = rate([Part(OCTOBER, terms, usage)], OCTOBER, BERLIN)

    assert [(line.name, line.amount_minor) for line in lines] == [("CPU", 40), ("GPU", 200)]
    assert [row["code"] for row in lines[1].derivation["machines"]] == ["gpu-1"]


def test_a_gib_month_is_a_gib_held_through_every_hour_of_the_month() -> None:
    """October 2026 has 745 hours in Berlin: 74.5 GiB-hours are a tenth of a GiB-month."""
    price = {"model": "per_unit", "meter": "disk", "unit": "GiB-month", "unit_price": "10"}
    terms = version({**price, "unit": "GiB-hour"})
    usage = machine(terms, OCTOBER, disk="74.5")

    lines = rate([Part(OCTOBER, version(price), [usage])], OCTOBER, BERLIN)

    assert amounts(lines) == [100]
    assert lines[0].quantity_text == "0.100"


def test_a_fee_is_prorated_by_local_days_and_the_parts_add_up() -> None:
    """11 of 31 days: 9.00 x 11/31 = 3.1935 and 9.00 x 20/31 = 5.8065."""
    turn = utc(2026, 10, 11, 22)  # The 12th begins in Berlin.

    before = rated(FEE, span=Period(OCTOBER.start, turn))
    after = rated(FEE, span=Period(turn, OCTOBER.end))

    assert amounts(before) == [319]
    assert amounts(after) == [581]
    assert before[0].exact + after[0].exact == 9


def test_a_day_belongs_to_the_part_that_holds_its_first_instant() -> None:
    noon = utc(2026, 10, 12, 10)

    before = rated(FEE, span=Period(OCTOBER.start, noon))
    after = rated(FEE, span=Period(noon, OCTOBER.end))

    assert [before[0].exact, after[0].exact] == [Fraction(9 * 12, 31), Fraction(9 * 19, 31)]


def test_a_fee_is_prorated_by_seconds_or_not_at_all_where_the_price_says_so() -> None:
    """From 25 October 00:00 to the end of the month are 7 days and an hour of 745 hours: clocks go back on the 25th."""
    span = Period(utc(2026, 10, 24, 22), OCTOBER.end)

    assert rated({**FEE, "proration": "second"}, span=span)[0].exact == Fraction(9 * 169, 745)
    assert amounts(rated({**FEE, "proration": "none"}, span=span)) == [900]


def test_hours_of_a_month_follow_the_clocks_of_the_zone() -> None:
    march = month(2026, 3, ZoneInfo("America/New_York"))

    line = rated(FEE, period=march, zone=ZoneInfo("America/New_York"))[0]

    assert line.derivation["window"]["hours"] == "743"
    assert rated(FEE)[0].derivation["window"]["hours"] == "745"
    assert rated(FEE, period=NOVEMBER)[0].derivation["window"]["hours"] == "720"


def test_a_line_says_how_it_came_about() -> None:
    line = rated(GRADUATED, cpu="101.5")[0]

    assert line.derivation["tiers"] == [
        {"above": "0", "up_to": "100", "quantity": "100", "units": "100.000", "unit_price": "0.05", "flat": "0",
         "exact": "5", "exact_shown": "5.00"},
        {"above": "100", "up_to": None, "quantity": "1.5", "units": "1.500", "unit_price": "0.04", "flat": "0",
         "exact": "0.06", "exact_shown": "0.06"},
    ]  # fmt: skip
    assert line.derivation["exact"] == "5.06"
    assert line.derivation["amount"] == "5.06"
    assert line.derivation["coverage"] == {
        "covered_ms": 2_682_000_000,
        "period_ms": 2_682_000_000,
        "machines": 1,
        "buckets": 2980,
    }
    assert line.derivation["machines"][0]["units"] == "101.500"
    assert line.charge_key == "plan/1/0@1790805600000"
