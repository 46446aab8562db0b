"""Every key and every convention of the price document, alone and combined, with amounts that providers publish or by hand."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from invoices import quote_usage
from invoices.plan_fields import PlanFileError
from invoices.plan_file import check
from invoices.quote import anniversary, answer, quote_json
from invoices.terms import VersionTerms

OCTOBER = {"start": "2026-10-01", "end": "2026-11-01"}


def quoted(*prices: dict[str, Any], usage: Any = None, **more: Any) -> dict[str, Any]:
    document = {"currency": "USD", "period": OCTOBER, "prices": list(prices), "usage": {} if usage is None else usage, **more}
    return quote_json(answer(document))


def amounts(quote: dict[str, Any]) -> list[str]:
    return [line["amount"] for line in quote["lines"]]


def of(meter: str, quantity: str, price: dict[str, Any], **more: Any) -> str:
    """The total of one price with a total of usage."""
    total: str = quoted({"meter": meter, **price}, usage={meter: quantity}, **more)["total"]
    return total


STRIPE_TIERS = [{"up_to": "5", "unit_price": "7"}, {"up_to": "10", "unit_price": "6.50"}, {"unit_price": "6"}]


@pytest.mark.parametrize(
    ("quantity", "volume", "graduated"),
    [
        ("1", "7.00", "7.00"),
        ("5", "35.00", "35.00"),
        ("6", "39.00", "41.50"),
        ("20", "120.00", "127.50"),
        ("25", "150.00", "157.50"),
    ],
)
def test_tiers_as_stripe_documents_them(quantity: str, volume: str, graduated: str) -> None:
    """Stripe, "Tiered pricing": 1 to 5 at 7, 6 to 10 at 6.50, from 11 at 6, by volume and graduated."""
    assert of("projects", quantity, {"model": "volume", "tiers": STRIPE_TIERS}) == volume
    assert of("projects", quantity, {"model": "graduated", "tiers": STRIPE_TIERS}) == graduated


def test_flat_fees_of_tiers_as_stripe_documents_them() -> None:
    """Stripe, "Tiered pricing with a flat fee": 5 + 10 + ... a tier's flat amount is added once it is entered."""
    tiers = [
        {"up_to": "5", "unit_price": "5", "flat": "10"},
        {"up_to": "10", "unit_price": "4", "flat": "20"},
        {"unit_price": "3", "flat": "30"},
    ]

    assert of("projects", "12", {"model": "volume", "tiers": tiers}) == "66.00"
    assert of("projects", "12", {"model": "graduated", "tiers": tiers}) == "111.00"


def test_packages_as_stripe_documents_them() -> None:
    """Stripe, "Package pricing": 25 per package of 5 units; 8 units are 2 packages."""
    price = {"model": "package", "package_size": "5", "package_price": "25"}

    assert [of("seats", quantity, price) for quantity in ("0.5", "5", "8", "10.001")] == ["25.00", "25.00", "50.00", "75.00"]


AWS_TRANSFER = [
    {"up_to": "10240", "unit_price": "0.09"},
    {"up_to": "51200", "unit_price": "0.085"},
    {"up_to": "153600", "unit_price": "0.07"},
    {"unit_price": "0.05"},
]


@pytest.mark.parametrize(("gib", "total"), [("100", "0.00"), ("10340", "921.60"), ("60000", "5012.20"), ("200000", "13886.20")])
def test_transfer_out_as_aws_publishes_it(gib: str, total: str) -> None:
    """AWS EC2 on-demand, data transfer out to the internet: 100 GB free, then 10, 40, 100 and over 150 TB (of 1,024 GB)."""
    price = {"unit": "GiB", "model": "graduated", "included": "100", "tiers": AWS_TRANSFER}

    assert of("network_out", gib, price) == total


def test_requests_as_aws_lambda_prices_them() -> None:
    """AWS Lambda: 0.20 per million requests, one million free, 3 million cost 0.40; 0.0000166667 per GB-second."""
    price = {"model": "per_unit", "divide_by": "1000000", "included": "1", "unit_price": "0.20"}

    assert of("requests", "3000000", price) == "0.40"
    assert of("gb_seconds", "1100000", {"model": "per_unit", "included": "400000", "unit_price": "0.0000166667"}) == "11.67"


@pytest.mark.parametrize(("how", "total"), [("up", "3.00"), ("down", "2.00"), ("none", "2.50")])
def test_a_quantity_is_divided_and_then_rounded(how: str, total: str) -> None:
    assert of("messages", "2500", {"model": "per_unit", "divide_by": "1000", "round": how, "unit_price": "1"}) == total


def test_a_percentage_and_a_fee_as_a_payment_provider_charges_them() -> None:
    """Stripe's standard pricing in the US: 2.9 % + 30 cents for each charge; 100.00 costs 3.20."""
    price = {"meter": "charges", "model": "percentage", "rate": "2.9%", "fixed": "0.30"}
    events = [["2026-10-02T10:00:00Z", "100.00"], ["2026-10-03T10:00:00Z", "50.00"]]

    assert quoted(price, usage={"charges": "100"})["total"] == "3.20"
    assert quoted(price, usage={"charges": events})["total"] == "4.95"


@pytest.mark.parametrize(
    ("free", "total"),
    [
        ({"free_events": "1"}, "1.50"),
        ({"free_amount": "120"}, "1.30"),
        ({"free_events": "1", "free_amount": "120"}, "1.50"),
        ({"free_events": "2", "free_amount": "100"}, "1.50"),
        ({"free_events": "2"}, "0.00"),
    ],
)
def test_whichever_is_reached_first_ends_the_free_part(free: dict[str, str], total: str) -> None:
    """1 % and 1.00 each, of 100.00 and then of 50.00."""
    events = [["2026-10-02T10:00:00Z", "100.00"], ["2026-10-03T10:00:00Z", "50.00"]]

    assert (
        quoted({"meter": "charges", "model": "percentage", "rate": "0.01", "fixed": "1", **free}, usage={"charges": events})[
            "total"
        ]
        == total
    )


def test_a_line_says_what_was_free_and_the_most_that_is_charged() -> None:
    price = {"meter": "x", "model": "percentage", "rate": "0.1", "free_events": "1", "free_amount": "120", "maximum": "5"}

    told = quoted(price, usage={"x": "150"})["lines"][0]["derivation"]

    assert [told[key] for key in ("free_events", "free_amount", "maximum", "exact")] == [1, "120", "5", "3"]


def test_a_line_says_between_what_its_price_follows_demand() -> None:
    demand = {"target": "0.5", "floor": "0.2", "cap": "2", "loads": [["2026-10-01T00:00:00Z", "0.75"]]}
    price = {"meter": "x", "model": "per_unit", "unit_price": "1", "demand": demand}

    told = quoted(price, usage={"x": "2"})["lines"][0]["derivation"]

    assert (told["demand"], told["exact"]) == ({"target": "0.5", "floor": "0.2", "cap": "2"}, "3")


def test_a_graduated_percentage() -> None:
    """As Stripe Connect and card schemes tier it: 2 % to 1,000, 1 % beyond."""
    price = {"model": "graduated_percentage", "tiers": [{"up_to": "1000", "rate": "0.02"}, {"rate": "0.01"}]}

    assert of("volume", "1500", price) == "25.00"


def test_a_minimum_is_a_line_of_its_own_and_a_maximum_acts_inside_the_line() -> None:
    price = {"meter": "cpu", "model": "per_unit", "unit_price": "0.04", "minimum": "5", "maximum": "10"}

    assert amounts(quoted(price, usage={"cpu": "100"})) == ["4.00", "1.00"]
    assert amounts(quoted(price, usage={"cpu": "200"})) == ["8.00"]
    assert amounts(quoted(price, usage={"cpu": "300"})) == ["10.00"]
    assert [(line["kind"], line["amount"]) for line in quoted(price)["lines"]] == [("minimum_true_up", "5.00")]


def test_windows_together_print_no_more_than_the_maximum() -> None:
    """Half a cent in each of two windows: 0.505 and 0.505 capped at 1.01 are 0.51 and 0.50, and not a cent above it."""
    price = {
        "meter": "x",
        "model": "time_of_use",
        "unit_price": "1",
        "maximum": "1.01",
        "windows": [{"name": "morning", "to": "12:00", "unit_price": "1"}],
    }

    quote = quoted(price, usage={"x": [["2026-10-01T01:00:00Z", "0.505"], ["2026-10-01T13:00:00Z", "2"]]})

    assert amounts(quote) == ["0.51", "0.50"]


def test_a_minimum_is_prorated_and_compared_with_rounded_usage() -> None:
    """Half of October's days: 3.10 x 16/31 = 1.60; usage of 1.005 prints as 1.01."""
    price = {"meter": "x", "model": "per_unit", "unit_price": "1", "minimum": "3.10", "active": ["", "2026-10-17T00:00:00Z"]}

    assert amounts(quoted(price, usage={"x": [["2026-10-02T00:00:00Z", "1.005"]]})) == ["1.01", "0.59"]


def test_a_commitment_on_the_whole_invoice_comes_before_discounts() -> None:
    prices = ({"model": "flat", "unit_price": "10"}, {"meter": "cpu", "model": "per_unit", "unit_price": "0.04"})

    quote = quoted(
        *prices, usage={"cpu": "100"}, commitment="20", discounts=[{"percent": "10"}], taxes=[{"rate": "0.19"}], credits=["5"]
    )

    assert amounts(quote) == ["10.00", "4.00", "6.00"]
    assert [quote[key] for key in ("subtotal", "discount", "tax", "credit", "total")] == [
        "20.00",
        "2.00",
        "3.42",
        "5.00",
        "16.42",
    ]


def test_tax_that_is_included_and_tax_by_line() -> None:
    price = {"meter": "a", "model": "per_unit", "unit_price": "0.13"}
    three = (price, {**price, "meter": "b"}, {**price, "meter": "c"})
    usage = {"a": "1", "b": "1", "c": "1"}

    assert quoted(*three, usage=usage, taxes=["0.19"])["tax"] == "0.07"
    assert quoted(*three, usage=usage, taxes=["0.19"], tax_rounding="line")["tax"] == "0.06"
    assert (
        quoted({**price, "unit_price": "119"}, usage={"a": "1"}, taxes=[{"rate": "19%", "inclusive": True}])["total"] == "119.00"
    )


def test_prior_usage_in_the_year_moves_up_the_tiers() -> None:
    """Convention 9: f(prior + quantity) - f(prior), for tiers, packages and what is included."""
    tiers = {
        "meter": "x",
        "model": "graduated",
        "tiers": [{"up_to": "100", "unit_price": "1"}, {"unit_price": "0.50"}],
        "tier_window": "year",
    }
    package = {"meter": "x", "model": "package", "package_size": "100", "package_price": "10", "tier_window": "contract"}
    free = {"meter": "x", "model": "per_unit", "unit_price": "1", "included": "60", "tier_window": "year"}

    assert [quoted(price, usage={"x": "40"}, prior_quantity="80")["total"] for price in (tiers, package, free)] == [
        "30.00",
        "10.00",
        "40.00",
    ]
    assert quoted({**package}, usage={"x": "20"}, prior_quantity={"x": "70"})["total"] == "0.00"
    assert quoted({**tiers, "model": "volume"}, usage={"x": "40"}, prior_quantity="80")["total"] == "-20.00"
    assert quoted({**tiers, "tier_window": "period"}, usage={"x": "40"}, prior_quantity="80")["total"] == "40.00"


def test_late_usage_is_the_whole_period_rated_anew_less_what_was_billed() -> None:
    """100 units were billed 5.00; with 50 more it is 7.00 by graduated tiers and 6.00 by volume; with none it is given back."""
    tiers = [{"up_to": "100", "unit_price": "0.05"}, {"unit_price": "0.04"}]
    graduated, volume = ({"meter": "cpu", "model": model, "tiers": tiers} for model in ("graduated", "volume"))

    line = quoted(graduated, usage={"cpu": "150"}, already_billed={"cpu": "5.00"})["lines"][0]

    assert (line["kind"], line["amount"]) == ("correction", "2.00")
    assert quoted(volume, usage={"cpu": "110"}, already_billed="5.00")["total"] == "-0.60"
    assert quoted(graduated, usage={"cpu": "100"}, already_billed="5.00")["lines"] == []
    assert quoted(graduated, already_billed="5.00")["total"] == "-5.00"


def test_late_usage_uses_up_what_a_commitment_was_billed() -> None:
    """5.00 and a true-up of 15.00 were billed; now it is 7.00 and 13.00, whether a plan or the quote asks for 20.00."""
    price = {"meter": "cpu", "model": "per_unit", "unit_price": "1"}
    row = {"code": "p", "name": "P", "currency": "USD", "commitment": "20", "prices": [price]}
    version = VersionTerms("p", "P", 1, "USD", datetime(2026, 1, 1, tzinfo=UTC), check(row).prices, Fraction(20))
    usage = {"cpu": "7"}

    for billed, left in (({"cpu": "5", "commitment": "15"}, ["2.00", "-2.00"]), ("20", []), ("5", ["15.00"])):
        by_plan = quote_json(answer({"period": OCTOBER, "usage": usage, "already_billed": billed}, [version]))
        by_quote = quoted(price, usage=usage, already_billed=billed, commitment="20")

        assert amounts(by_plan) == amounts(by_quote) == left
        assert {line["kind"] for line in by_plan["lines"]} <= {"correction"}


def test_a_fee_is_prorated_by_days_or_seconds_or_not() -> None:
    """Lago's example of a 31-day month: joining on the 17th leaves 15 of 31 days."""
    fee = {"model": "flat", "unit_price": "31", "active": ["2026-10-17T12:00:00Z", ""]}

    assert [quoted({**fee, "proration": how})["total"] for how in ("day", "second", "none")] == ["14.00", "14.50", "31.00"]


def test_a_fee_in_advance_gives_back_what_was_not_held() -> None:
    """Credit and charge are lines of their own: 30.00 and 50.00 a month, changed on the 11th of a month of 30 days."""
    change = "2026-11-11T00:00:00Z"
    old = {"name": "Old", "model": "flat", "unit_price": "30", "billed": "advance", "active": ["", change]}
    new = {"name": "New", "model": "flat", "unit_price": "50", "billed": "advance", "active": [change, ""]}

    quote = quoted(old, new, period={"start": "2026-11-01", "end": "2026-12-01"})

    assert [(line["kind"], line["amount"]) for line in quote["lines"]] == [
        ("flat_fee", "30.00"),
        ("proration_credit", "-20.00"),
        ("flat_fee", "33.33"),
    ]
    assert quote["total"] == "43.33"


def test_a_price_version_inside_the_period_is_a_line_of_its_own() -> None:
    old = {"meter": "cpu", "model": "per_unit", "unit_price": "0.04", "active": ["", "2026-10-17T00:00:00Z"]}
    new = {"meter": "cpu", "model": "per_unit", "unit_price": "0.05", "active": ["2026-10-17T00:00:00Z", ""]}
    events = [["2026-10-16T23:59:59Z", "100"], ["2026-10-17T00:00:00Z", "100"]]

    assert amounts(quoted(old, new, usage={"cpu": events})) == ["4.00", "5.00"]


def test_prices_by_class_and_label_take_their_machines_and_leave_the_others() -> None:
    machines = [
        {"code": "web", "usage": {"cpu": "100"}},
        {"code": "gpu", "class": "gpu", "usage": {"cpu": "10"}},
        {"code": "eu", "labels": {"region": "eu"}, "usage": {"cpu": "1"}},
    ]
    prices = (
        {"name": "all", "meter": "cpu", "model": "per_unit", "unit_price": "0.01"},
        {"name": "gpu", "meter": "cpu", "model": "per_unit", "unit_price": "1", "selector": "gpu"},
        {"name": "eu", "meter": "cpu", "model": "per_unit", "unit_price": "7", "selector": {"region": "eu"}},
    )

    assert amounts(quoted(*prices, machines=machines)) == ["1.00", "10.00", "7.00"]


def test_tiers_and_packages_can_count_by_machine() -> None:
    machines = [{"code": f"m{n}", "usage": {"cpu": "60"}} for n in range(2)]
    price = {"meter": "cpu", "model": "package", "package_size": "100", "package_price": "1"}

    assert quoted(price, machines=machines)["total"] == "2.00"
    assert quoted({**price, "per": "machine"}, machines=machines)["total"] == "2.00"
    assert quoted({**price, "per": "machine", "package_size": "120"}, machines=machines)["total"] == "2.00"
    assert quoted({**price, "package_size": "120"}, machines=machines)["total"] == "1.00"


def test_amounts_have_their_currencys_decimals_and_round_half_away_from_zero() -> None:
    price = {"meter": "x", "model": "per_unit", "unit_price": "0.5"}

    assert [quoted(price, usage={"x": "1"}, currency=currency)["total"] for currency in ("JPY", "USD", "KWD")] == [
        "1",
        "0.50",
        "0.500",
    ]
    assert quoted({**price, "unit_price": "0.005"}, usage={"x": "1"}, already_billed="0.02")["total"] == "-0.01"


def test_no_usage_makes_no_line_and_usage_within_what_is_included_one_of_nothing() -> None:
    price = {"meter": "x", "model": "per_unit", "unit_price": "1", "included": "10"}

    tiers = {"meter": "x", "model": "graduated", "flat_when_zero": True, "tiers": [{"unit_price": "1"}]}

    assert quoted(price, usage={"x": "0"})["lines"] == quoted(tiers)["lines"] == []
    assert amounts(quoted(price, usage={"x": "10"})) == ["0.00"]


def test_many_keys_at_once() -> None:
    """Converted 2,500 to 3 (up), less 1 included, 2 at 10.00 capped at 15.00, up to 18.00, less 10 %, plus 20 %, less 1.00."""
    price = {
        "meter": "calls",
        "model": "graduated",
        "divide_by": "1000",
        "round": "up",
        "included": "1",
        "minimum": "18",
        "maximum": "15",
        "tiers": [{"unit_price": "10"}],
    }
    with pytest.raises(PlanFileError, match="maximum: is below the minimum"):
        quoted(price, usage={"calls": "2500"})

    quote = quoted(
        {**price, "maximum": "25"}, usage={"calls": "2500"}, discounts=[{"rate": "0.1"}], taxes=["0.2"], credits=["1.00"]
    )

    assert amounts(quote) == ["20.00"]
    assert quote["total"] == "20.60"


def test_records_outside_the_period_are_counted_and_not_priced() -> None:
    price = {"meter": "x", "model": "per_unit", "unit_price": "1"}

    quote = quoted(
        price, usage={"x": [["2026-09-30T23:59:59Z", "1"], ["2026-10-01T00:00:00Z", "10"], ["2026-11-01T00:00:00Z", "100"]]}
    )

    assert (quote["total"], quote["ignored_records"]) == ("10.00", 2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prices": []}, "prices: must be a list"),
        ({"prices": [{"meter": "x", "model": "per_unit"}]}, "prices[0].unit_price: is missing."),
        (
            {"prices": [{"meter": "x", "model": "per_unit", "unit_price": 0.1}]},
            "prices[0].unit_price: write a number as a string",
        ),
        ({"prices": [{"meter": "x", "model": "per_unit", "unit_price": "-1"}]}, "prices[0].unit_price: -1 is below zero"),
        ({"prices": [{"meter": "x", "model": "per_unit", "unit_price": "1", "tiers": []}]}, "prices[0].tiers: is not a key here"),
        ({"usage": {"y": "1"}}, "usage.y: has no price here."),
        ({"usage": {"x": "1e5"}}, "usage.x: '1e5' is no plain decimal"),
        ({"usage": {"x": "9" * 41}}, "usage.x: has more than 40 characters"),
        ({"usage": {"x": [["2026-10-01", "1"]]}}, "usage.x[0][0]: 2026-10-01 00:00:00 is no instant with a zone"),
        ({"usage": {"x": [["2026-10-02T00:00:00Z/2026-10-01T00:00:00Z", "1"]]}}, "usage.x[0][0]: ends before it begins."),
        ({"usage": {"x": [["2026-10-02T00:00:00Z", "1"]] * 20_001}}, "usage.x: more than 20000 records in all."),
        ({"period": {"start": "2026-10-01"}}, "period.end: is missing."),
        ({"period": {"start": "2026-10-01", "end": "2026-10-01"}}, "period.end: is not after the start."),
        ({"period": {"start": "2026-10-01", "end": "2028-10-01"}}, "period.end: is more than 400 days"),
        ({"timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus' is no time zone"),
        ({"currency": "usd"}, "currency: 'usd' is no ISO 4217 code"),
        ({"taxes": [{"rate": "19"}]}, "taxes[0].rate: 19 is above one"),
        ({"taxes": [{"rate": "0.1"}, {"rate": "0.1", "included": True}]}, "taxes: prices include all taxes, or none."),
        ({"discounts": [{"rate": "0.1", "fixed": "1"}]}, "discounts[0]: has one of"),
        ({"discounts": [{"percent": 10.5}]}, "discounts[0].percent: write a number as a string"),
        ({"prices": [{"model": "flat", "unit_price": "1", "meter": []}]}, "prices[0].meter: must be a text"),
        ({"prices": [{"meter": "x", "model": [], "unit_price": "1"}], "prior_quantity": "1"}, "prices[0].model: [] is none of"),
        ({"credits": [{"amount": "0.001"}]}, "credits[0].amount: '0.001' has more than 2 decimals."),
        ({"already_billed": {"y": "1"}}, "already_billed.y: is no meter"),
        ({"tax_rounding": "never"}, "tax_rounding: 'never' is none of rate, line."),
        ({"colour": "red"}, "colour: is not a key here."),
    ],
)
def test_a_mistake_is_named_with_its_place(wrong: dict[str, Any], said: str) -> None:
    right: dict[str, Any] = {
        "currency": "USD",
        "period": OCTOBER,
        "usage": {"x": "1"},
        "prices": [{"meter": "x", "model": "per_unit", "unit_price": "1"}],
    }
    assert quote_json(answer(right))["total"] == "1.00"

    with pytest.raises(PlanFileError) as refusal:
        answer({**right, **wrong})

    assert said in str(refusal.value)


@pytest.mark.parametrize(
    "more",
    [
        {"demand": {"target": "0.5", "floor": "0", "cap": "2", "loads": [[f"2026-10-01T00:00:{n:02}Z", "1"] for n in range(60)]}},
        {"windows": [{"from": f"{n:02}:00", "to": f"{n:02}:30", "unit_price": "1"} for n in range(20)]},
    ],
)
def test_prices_that_cut_usage_too_often_are_refused_before_they_are_rated(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads are looked at anew in each window, and a window opens on each of its days: 100 machines, at a hundredth the limit."""
    monkeypatch.setattr(quote_usage, "MOST_WORK", 4_000)
    price = {"meter": "x", "model": "time_of_use", "unit_price": "1", "windows": [{"to": "12:00", "unit_price": "1"}], **more}
    machines = [{"code": f"m{n}", "usage": {"x": "1"}} for n in range(100)]

    with pytest.raises(PlanFileError, match="usage: takes [0-9]+ steps with these prices; at most 4000"):
        quoted(price, machines=machines)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2028-01-30", 1, "2028-02-29"),
        ("2026-11-30", 3, "2027-02-28"),
    ],
)
def test_an_anchor_falls_on_the_last_day_of_a_short_month_and_returns_to_its_own(start: str, months: int, end: str) -> None:
    assert anniversary(date.fromisoformat(start), months) == date.fromisoformat(end)
