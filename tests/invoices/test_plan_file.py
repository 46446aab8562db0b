"""Plan documents: every key is read, every mistake is named, and what is written is read back."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from invoices import billing, plan_file, plan_price, publishing
from invoices.catalogue import terms_of
from invoices.models import PlanVersion, RatePlan
from invoices.plan_fields import PlanFileError
from invoices.publishing import PlanError
from invoices.terms import TierTerms
from tests.cast import a_customer
from tests.invoices.rows import CPU, FEE, LONG_AGO, OCTOBER, published, subscribed, utc

SHIPPED = sorted((Path(plan_file.__file__).parent / "plans").glob("*.toml"))
HEAD = {"code": "x", "name": "X", "currency": "EUR"}


def document(**changes: Any) -> dict[str, Any]:
    return {**HEAD, "prices": [dict(CPU)], **changes}


def price(**changes: Any) -> dict[str, Any]:
    return document(prices=[{**CPU, **changes}])


def test_a_document_is_read_word_by_word() -> None:
    text = """
    code = "x"
    name = "X"
    currency = "EUR"
    effective_from = 2026-10-01T00:00:00+02:00
    [[prices]]
    model = "graduated"
    meter = "disk"
    unit = "GiB-month"
    included = 5
    selector = "ssd"
    tiers = [{ up_to = "100.5", unit_price = "0.000000001", flat = "2" }, { unit_price = "0" }]
    """

    plan = plan_file.read(text)

    assert plan.effective_from == datetime(2026, 9, 30, 22, tzinfo=UTC)
    (read,) = plan.prices
    assert (read.name, read.unit, read.included, read.selector) == ("Disk", "GiB-month", Fraction(5), "ssd")
    assert read.tiers == (TierTerms(Fraction("100.5"), Fraction(1, 10**9), Fraction(2)), TierTerms(None, Fraction(0)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_plan_is_written_and_read_back_the_same(path: Path) -> None:
    plan = plan_file.read(path.read_text())

    assert plan.code == path.stem
    assert plan_file.read(json.dumps(plan_file.dump(plan)), as_json=True) == plan


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (document(prices=[]), "prices: a plan needs at least one price."),
        (document(currency="euro"), "currency: must be a text of 1 to 3 characters."),
        (document(currency="eur"), "currency: 'eur' is no ISO 4217 code. An example: EUR."),
        (document(code="Not A Code"), "code: use lower-case letters, digits and hyphens."),
        (document(colour="red"), "colour: is not a key here."),
        (document(effective_from="soon"), "effective_from: 'soon' is no instant such as"),
        (document(effective_from="2026-10-01T00:00:00"), "effective_from: 2026-10-01 00:00:00 is no instant with a zone"),
        (document(prices="many"), "prices: a plan needs at least one price."),
        (document(prices=["one"]), "prices[0]: must be a table of keys and values."),
        (price(unit_price=0.04), 'prices[0].unit_price: write a number as a string such as "0.042"'),
        (price(unit_price="0.0000000001"), "prices[0].unit_price: '0.0000000001' has more than 9 decimals."),
        (price(unit_price="-1"), "prices[0].unit_price: -1 is below zero or too large."),
        (price(unit_price=True), "prices[0].unit_price: write a number as a string"),
        (price(unit_price="1e3"), "prices[0].unit_price: '1e3' is no plain decimal number"),
        (price(model="perunit"), "prices[0].model: 'perunit' is none of per_unit, graduated"),
        (price(meter="gpu"), "prices[0].meter: 'gpu' is not metered. Known: cpu, memory"),
        (price(unit="GB"), "prices[0].unit: 'cpu' is priced per core-hour, not per 'GB'."),
        (price(tiers=[]), "prices[0].tiers: is not a key here."),
        (price(model="sample_tariff"), "prices[0].meter: a sample tariff prices cpu_percent_samples"),
        (document(prices=[FEE, CPU, CPU]), "prices[2].meter: prices[1] prices 'cpu' already."),
        (document(prices=[{"model": "flat"}]), "prices[0].unit_price: is missing."),
        (document(prices=[{**FEE, "meter": "cpu"}]), "prices[0]: a flat fee has no meter, unit or selector."),
        (document(prices=[{**FEE, "proration": "hour"}]), "prices[0].proration: 'hour' is none of none, day, second."),
    ],
)
def test_a_mistake_is_named_with_its_place(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanFileError) as caught:
        plan_file.check(wrong)

    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ([{"up_to": "5", "unit_price": "1"}], "tiers[0].up_to: the last tier has none, every other tier has one."),
        ([{"unit_price": "1"}, {"unit_price": "1"}], "tiers[0].up_to: the last tier has none, every other tier has one."),
        (
            [{"up_to": "5", "unit_price": "1"}, {"up_to": "5", "unit_price": "1"}, {"unit_price": "1"}],
            "tiers[1].up_to: each tier ends above the one before.",
        ),
        ([{"up_to": "0", "unit_price": "1"}, {"unit_price": "1"}], "tiers[0].up_to: each tier ends above the one before."),
        ([{}], "tiers[0].unit_price: is missing."),
    ],
)
def test_tiers_must_rise_and_end_open(tiers: list[dict[str, str]], said: str) -> None:
    with pytest.raises(PlanFileError) as caught:
        plan_file.check(document(prices=[{"model": "graduated", "meter": "cpu", "tiers": tiers}]))

    assert str(caught.value) == f"prices[0].{said}"


@pytest.mark.parametrize(("text", "said"), [("code = ", "not TOML"), ("[[prices]", "not TOML")])
def test_what_is_no_toml_is_refused(text: str, said: str) -> None:
    with pytest.raises(PlanFileError, match=said):
        plan_file.read(text)


def load(*arguments: str) -> str:
    out = StringIO()
    call_command("load_plan", *arguments, stdout=out)
    return out.getvalue().strip()


def dump(*arguments: str) -> str:
    out = StringIO()
    call_command("dump_plan", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_loading_a_file_twice_changes_nothing_and_a_new_price_makes_a_draft(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text((SHIPPED[0].parent / "paper.toml").read_text())

    first, again = load(str(file), "--publish"), load(str(file), "--publish")
    file.write_text(file.read_text().replace('"0.05"', '"0.06"'))
    changed = load(str(file))

    assert first == "Per-sample tariff, version 1: loaded, published."
    assert again == "Per-sample tariff, version 1: unchanged, published."
    assert changed == "Per-sample tariff, version 2: loaded, draft."
    assert [terms_of(version).prices[0].unit_price for version in PlanVersion.objects.order_by("number")] == [
        Fraction("0.05"),
        Fraction("0.06"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["missing.toml"], "Cannot read missing.toml: No such file"), (["."], "Cannot read .: Is a directory")],
)
def test_a_file_that_cannot_be_read_is_one_sentence(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        load(*arguments)


@pytest.mark.django_db
def test_a_plan_is_what_was_loaded() -> None:
    for path in SHIPPED:
        load(path.stem, "--publish")

    stored = {version.plan.code: terms_of(version) for version in PlanVersion.objects.all()}

    for path in SHIPPED:
        plan = plan_file.read(path.read_text())
        assert (stored[path.stem].prices, stored[path.stem].commitment) == (plan.prices, plan.commitment)
        assert plan_file.read(dump(path.stem)) == plan
        assert plan_file.read(dump(path.stem, "--json"), as_json=True) == plan


EVERY_KEY = """
code = "all"
name = "Every key"
currency = "EUR"
custom_meters = ["charges"]
commitment = "12.50"
[[prices]]
name = "Fee"
model = "flat"
unit_price = "9"
proration = "second"
billed = "advance"
active = ["2026-10-01T00:00:00Z", ""]
[[prices]]
name = "Volume"
model = "volume"
meter = "cpu"
unit = "core-hour"
flat_when_zero = true
tiers = [{ up_to = "10", unit_price = "1", flat = "2" }, { unit_price = "0.5" }]
included = "1.5"
divide_by = "2"
round = "up"
minimum = "3"
maximum = "30"
per = "machine"
tier_window = "year"
selector = { class = "gpu", region = "eu" }
active = ["2026-10-01T00:00:00Z", "2026-10-05T00:00:00Z"]
[[prices]]
name = "Peak"
model = "package"
meter = "network_out"
unit = "Mbit/s"
package_size = "10"
package_price = "4"
aggregation = "max"
bucket = 15
[[prices]]
name = "Charges"
model = "percentage"
meter = "charges"
unit = "EUR"
rate = "2.9%"
fixed = "0.3"
free_events = 3
free_amount = "100"
[[prices]]
name = "Share"
model = "graduated_percentage"
meter = "charges"
unit = "EUR"
tiers = [{ up_to = "1000", rate = "0.02" }, { rate = "0.01", flat = "1" }]
[[prices]]
name = "Clock"
model = "time_of_use"
meter = "memory"
unit = "GiB-hour"
unit_price = "0.01"
windows = [{ days = [6, 7], from = "22:30", to = "06:00", unit_price = "0.005", name = "weekend" }]
demand = { target = "0.5", floor = "0.8", cap = "2", loads = [["2026-10-01T00:00:00Z", "0.75"]] }
[[prices]]
name = "Spot"
model = "spot_series"
meter = "disk"
unit = "GiB-hour"
unit_price = "0"
series = [["2026-10-01T00:00:00Z", "0.001"], ["2026-10-01T00:05:00Z", "0.002"]]
[[prices]]
name = "Market"
model = "spot_series"
meter = "disk_read"
unit = "GB"
market = "eu-west"
[[prices]]
name = "Kept"
model = "reserved"
meter = "network_in"
unit = "GB"
reserved = "5"
unit_price = "1"
overage_price = "2"
"""


@pytest.mark.django_db
def test_a_plan_with_every_key_is_stored_dumped_and_read_back_the_same() -> None:
    plan = plan_file.read(EVERY_KEY)

    version, _ = publishing.save_draft(plan)

    assert plan_file.read(dump("all")) == plan
    assert publishing.save_draft(plan) == (version, False)
    written = {key for price in plan_file.dump(plan)["prices"] for key in price}
    assert plan_price.ALL_KEYS - written == set()


@pytest.mark.django_db
def test_a_plan_that_is_not_there_cannot_be_dumped() -> None:
    with pytest.raises(CommandError, match="There is no plan 'nothing'."):
        dump("nothing")


@pytest.mark.django_db
def test_a_version_is_published_once_and_after_the_one_before() -> None:
    plan = published(CPU)
    draft = publishing.new_draft(plan)

    with pytest.raises(PlanError, match="must start later"):
        publishing.publish(draft, LONG_AGO)
    with pytest.raises(PlanError, match="quarter hour"):
        publishing.publish(draft, utc(2026, 10, 1, 0, 1))
    with pytest.raises(PlanError, match="needs an instant"):
        publishing.publish(draft)
    publishing.publish(draft, utc(2026, 10, 1))
    with pytest.raises(PlanError, match="published already"):
        publishing.publish(draft, utc(2026, 11, 1))
    assert terms_of(draft).prices == terms_of(plan.versions.get(number=1)).prices


@pytest.mark.django_db
def test_a_new_price_never_reaches_into_a_month_that_is_billed() -> None:
    customer = a_customer()
    plan = published(FEE)
    subscribed(customer, plan)
    made = billing.draft(customer, OCTOBER)
    assert made is not None
    billing.finalise(made)
    draft = publishing.new_draft(plan)

    with pytest.raises(PlanError, match="CH-2026-0001 has billed usage after 2026-10-31 22:45 UTC"):
        publishing.publish(draft, utc(2026, 10, 31, 22, 45))
    assert publishing.publish(draft, OCTOBER.end).state == "published"


@pytest.mark.django_db
def test_a_draft_without_prices_or_tiers_is_not_published() -> None:
    empty = publishing.new_draft(RatePlan.objects.create(code="x", name="X", currency="EUR"))

    with pytest.raises(PlanError, match="has no price"):
        publishing.publish(empty, LONG_AGO)
    empty.prices.create(name="CPU", model="graduated", meter="cpu", unit="core-hour")
    with pytest.raises(PlanError, match="needs at least one tier"):
        publishing.publish(empty, LONG_AGO)


@pytest.mark.django_db
def test_a_plan_whose_price_wants_labels_that_no_machine_has_is_not_published() -> None:
    for_class = published({**CPU, "selector": {"class": "gpu"}}, code="by-class")

    with pytest.raises(PlanError, match="CPU: a machine's one label is its class"):
        published({**CPU, "selector": {"class": "gpu", "region": "eu"}}, code="by-label")
    assert for_class.versions.get().state == "published"


@pytest.mark.django_db
def test_a_subscription_needs_a_price_a_currency_and_room() -> None:
    customer = a_customer()
    plan = published(CPU, since=utc(2026, 10, 1))
    dollars = published(CPU, code="usd", currency="USD")

    with pytest.raises(PlanError, match="no published version in force on 2026-09-30"):
        subscribed(customer, plan, utc(2026, 9, 30))
    with pytest.raises(PlanError, match="priced in USD, but Acme is billed in EUR"):
        subscribed(customer, dollars, utc(2026, 10, 1))
    with pytest.raises(PlanError, match="quarter hour"):
        subscribed(customer, plan, utc(2026, 10, 1, 0, 7))
    with pytest.raises(PlanError, match="ends after it starts"):
        subscribed(customer, plan, utc(2026, 10, 2), utc(2026, 10, 2))
    subscribed(customer, plan, utc(2026, 10, 1))
    with pytest.raises(PlanError, match="in that time already"):
        subscribed(customer, plan, utc(2026, 11, 1))
