"""Spot prices as they come: recorded once and in order, in force from their instant, never into time that is billed."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Customer
from invoices import billing, plan_file, spot
from invoices.calculator import calculation
from invoices.catalogue import contracts
from invoices.corrections import corrections
from invoices.estimate import estimate, preview
from invoices.models import SpotPrice
from invoices.plan_fields import PlanFileError
from invoices.plan_price import Reading, dump_price
from invoices.quote import quote_json
from tests.cast import a_customer, a_machine
from tests.invoices.rows import HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc
from usage.models import Machine

pytestmark = pytest.mark.django_db
PRICE = {"name": "CPU", "model": "spot_series", "meter": "cpu", "market": "eu-west"}
CENT = 10_000_000


@pytest.fixture
def customer(db: None) -> Customer:
    customer = a_customer()
    subscribed(customer, published(PRICE))
    return customer


@pytest.fixture
def machine(customer: Customer) -> Machine:
    return a_machine(customer)


def prices(*recorded: tuple[int, int]) -> None:
    """Cents from a day of October on."""
    for day, cents in recorded:
        spot.record("eu-west", utc(2026, 10, day), cents * CENT)


def test_a_price_is_in_force_from_its_instant_until_the_next(customer: Customer, machine: Machine) -> None:
    """10 core-hours at 0.04, 20 at 0.05; a market of another name says nothing."""
    spot.record("eu-west", utc(2026, 9, 1), 4 * CENT)
    spot.record("us-east", utc(2026, 10, 1), 99 * CENT)
    prices((7, 5))
    used(machine, utc(2026, 10, 6, 23, 45), cpu_ms=10 * HOUR_MS)
    used(machine, utc(2026, 10, 7), cpu_ms=20 * HOUR_MS)

    assert preview(customer, OCTOBER).total_minor == 140
    assert estimate(customer, OCTOBER.end - (OCTOBER.end - OCTOBER.start) / 1000).total_minor == 140


def test_no_new_version_is_needed_and_a_billed_month_stays(customer: Customer, machine: Machine) -> None:
    prices((1, 4))
    used(machine, utc(2026, 10, 7), cpu_ms=20 * HOUR_MS)
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    billing.finalise(draft, utc(2026, 11, 2))

    with pytest.raises(spot.SpotError, match="is billed up to 2026-10-31 23:00 UTC"):
        prices((20, 9))
    spot.record("eu-west", utc(2026, 11, 5), 9 * CENT)
    used(machine, utc(2026, 11, 5), cpu_ms=HOUR_MS)

    assert corrections(customer, NOVEMBER) == []
    assert preview(customer, NOVEMBER).total_minor == 9


def test_prices_come_once_and_in_order(db: None) -> None:
    prices((7, 5), (7, 5))

    assert SpotPrice.objects.count() == 1
    for day, cents in ((7, 6), (6, 5)):
        with pytest.raises(spot.SpotError, match="must begin later"):
            prices((day, cents))


def test_usage_before_the_first_price_is_refused_unless_the_plan_has_one(customer: Customer, machine: Machine) -> None:
    prices((7, 5))
    used(machine, utc(2026, 10, 2), cpu_ms=HOUR_MS)
    other = a_customer("bolt")
    subscribed(other, published({**PRICE, "unit_price": "0.02"}, code="with-first"))
    used(a_machine(other, "bolt-1"), utc(2026, 10, 2), cpu_ms=HOUR_MS)

    with pytest.raises(ValueError, match="has no price before the first"):
        preview(customer, OCTOBER)
    assert preview(other, OCTOBER).total_minor == 2


def test_the_calculator_asks_the_market(customer: Customer) -> None:
    spot.record("eu-west", utc(2020, 1, 1), 5 * CENT)

    found = calculation(customer, contracts(customer, OCTOBER), {"cpu": "10"}, utc(2026, 10, 15))

    assert found is not None
    assert found.quote is not None
    assert quote_json(found.quote)["total"] == "0.50"


@pytest.mark.parametrize(
    ("changes", "reading", "words"),
    [
        ({"series": [["2026-10-01T00:00:00Z", "1"]]}, Reading(), "either it or a series"),
        ({}, Reading(quote=True), "here give the series itself"),
        ({"market": ""}, Reading(), "series"),
    ],
)
def test_a_market_is_named_by_plans_alone_and_instead_of_a_series(
    changes: dict[str, object], reading: Reading, words: str
) -> None:
    (terms,) = plan_file.check_prices([PRICE])

    assert dump_price(terms)["market"] == "eu-west"
    with pytest.raises(PlanFileError, match=words):
        plan_file.check_prices([{**PRICE, **changes}], reading)


def test_the_command_takes_one_price_or_a_feed_and_all_or_none_of_it(db: None, tmp_path: Path) -> None:
    feed, broken = tmp_path / "feed.csv", tmp_path / "broken.csv"
    feed.write_text("2026-10-01T06:00:00Z,0.0416\n2026-10-01T12:00:00Z,0.0312\n")
    broken.write_text("2026-10-02T06:00:00Z,0.05\n2026-10-02T05:00:00Z,0.06\n")
    said = io.StringIO()

    call_command("record_spot_price", "eu-west", "2026-10-01T00:00:00Z", "0.04", stdout=said)
    call_command("record_spot_price", "eu-west", f"--file={feed}", stdout=said)
    with pytest.raises(CommandError, match="Row 2: .* must begin later"):
        call_command("record_spot_price", "eu-west", f"--file={broken}", stdout=said)

    assert "eu-west 0.0312 from 2026-10-01 12:00:00 UTC" in said.getvalue()
    assert list(SpotPrice.objects.order_by("at").values_list("price_nano", flat=True)) == [40_000_000, 41_600_000, 31_200_000]
    with pytest.raises(CommandError, match="must be an instant and a price"):
        call_command("record_spot_price", "eu-west", "2026-10-05T00:00:00Z")
