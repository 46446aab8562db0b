"""The money API as an integrator meets it: the numbers are the invoice's own."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from invoices.billing import draft, finalise, void
from invoices.models import Invoice, RatePlan
from invoices.payments import record_payment
from invoices.plan_file import read
from invoices.publishing import publish, save_draft, subscribe
from tests.cast import a_bucket, a_customer, a_machine, with_key
from usage.periods import BUCKET_MS, bucket_start, month, to_ms

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2025, 1, 1, tzinfo=UTC)
PLAN = """
code = "cloud"
name = "Cloud"
currency = "EUR"
effective_from = 2025-01-01T00:00:00Z
[[prices]]
name = "Base fee"
model = "flat"
unit_price = "9.00"
proration = "day"
[[prices]]
name = "CPU"
model = "graduated"
meter = "cpu"
unit = "core-hour"
tiers = [{ up_to = "1", unit_price = "0.042" }, { unit_price = "0.038" }]
"""
KEY_QUERIES = 2  # the key with its customer, and when it was last used


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


@pytest.fixture
def acme() -> Customer:
    customer = a_customer("acme", address="Hauptstr. 1\n10115 Berlin", tax_id="DE123456789")
    publish(save_draft(read(PLAN))[0])
    subscribe(customer, RatePlan.objects.get(), START)
    return customer


@pytest.fixture
def client(acme: Customer) -> Client:
    return with_key(acme)


def an_invoice(customer: Customer, number: int = 10) -> Invoice:
    """October 2025 with 1.5 core-hours: 9.00 + 1 x 0.042 + 0.5 x 0.038 = 9.061, so 9.06."""
    period = month(2025, number, BERLIN)
    machine = customer.machines.filter(code=f"{customer.code}-1").first() or a_machine(customer, f"{customer.code}-1")
    for quarter in range(6):
        a_bucket(machine, period.start_ms + quarter * BUCKET_MS)
    made = draft(customer, period)
    assert made is not None
    return finalise(made)


def test_the_estimate_is_what_the_invoice_would_say(acme: Customer, client: Client) -> None:
    machine = a_machine(acme, "web-1")
    a_bucket(machine, bucket_start(to_ms(now())), cpu_ms=5_400_000)

    answer = client.get("/api/v1/estimate/").json()

    fee, cpu = answer["lines"]
    assert answer["total"] == {"amount": "9.06", "currency": "EUR"}
    assert answer["exact"] == {"amount": "9.0610", "currency": "EUR"}
    assert (fee["kind"], fee["meter"], fee["amount"]["amount"]) == ("flat_fee", None, "9.00")
    assert (cpu["quantity"], cpu["unit"], cpu["base"], cpu["exact"]) == ("1.500", "core-hour", 5_400_000, "0.061")
    assert [tier["exact"] for tier in cpu["derivation"]["tiers"]] == ["0.042", "0.019"]
    assert answer["period"]["timezone"] == "Europe/Berlin"


def test_the_estimate_says_why_it_cannot_be_priced(acme: Customer, client: Client) -> None:
    Customer.objects.update(currency="USD")

    answer = client.get("/api/v1/estimate/")

    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert "priced in EUR" in answer.json()["detail"]


def test_without_a_plan_nothing_is_owed() -> None:
    answer = with_key(a_customer("bolt", currency="JPY")).get("/api/v1/estimate/").json()

    assert (answer["lines"], answer["total"]) == ([], {"amount": "0", "currency": "JPY"})


def test_an_invoice_with_every_line_and_how_it_came_about(acme: Customer, client: Client) -> None:
    number = an_invoice(acme).number

    answer = client.get(f"/api/v1/invoices/{number}/").json()

    fee, cpu = answer["lines"]
    assert (answer["number"], answer["status"], answer["customer"]) == (number, "open", "acme")
    assert (answer["period"]["start"], answer["period"]["end"]) == ("2025-09-30T22:00:00Z", "2025-10-31T23:00:00Z")
    assert (answer["subtotal"], answer["total"]) == ({"amount": "9.06", "currency": "EUR"}, {"amount": "9.06", "currency": "EUR"})
    assert (fee["amount"]["amount"], cpu["amount"]["amount"], cpu["exact"]) == ("9.00", "0.06", "0.061")
    assert cpu["derivation"]["machines"][0]["code"] == "acme-1"
    assert answer["buyer"] == {"name": "Acme", "address": "Hauptstr. 1\n10115 Berlin", "tax_id": "DE123456789"}


def test_a_foreign_invoice_and_a_draft_are_not_found(acme: Customer, client: Client) -> None:
    bolt = a_customer("bolt")
    subscribe(bolt, RatePlan.objects.get(), START)
    foreign = an_invoice(bolt)
    a_bucket(a_machine(acme, "web-1"), month(2025, 10, BERLIN).start_ms)
    draft(acme, month(2025, 10, BERLIN))

    listed = client.get("/api/v1/invoices/").json()["results"]

    assert Invoice.objects.filter(customer=acme).count() == 1
    assert listed == []
    assert client.get(f"/api/v1/invoices/{foreign.number}/").status_code == 404


def test_invoices_come_newest_period_first_with_their_status(acme: Customer, client: Client) -> None:
    september, october, november = (an_invoice(acme, number) for number in (9, 10, 11))
    record_payment(october, october.total_minor, "bank-1", date(2025, 11, 14))
    void(november, "Wrong address")

    first = client.get("/api/v1/invoices/?limit=2").json()
    rest = client.get(first["next"]).json()

    rows = [(row["number"], row["status"], row["paid"]["amount"]) for row in first["results"] + rest["results"]]
    assert rows == [(november.number, "void", "0.00"), (october.number, "paid", "9.06"), (september.number, "open", "0.00")]
    assert client.get(rest["previous"]).json()["results"] == first["results"]


def test_an_unchanged_invoice_is_not_sent_again_and_a_paid_one_is(acme: Customer, client: Client) -> None:
    invoice = an_invoice(acme)
    url = f"/api/v1/invoices/{invoice.number}/"
    tag = client.get(url)["ETag"]

    unchanged = client.get(url, headers={"if-none-match": tag})
    record_payment(invoice, invoice.total_minor, "bank-1", date(2025, 11, 14))
    paid = client.get(url, headers={"if-none-match": tag})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (paid.status_code, paid.json()["status"]) == (200, "paid")
    assert paid["ETag"] != tag


def test_a_stranger_with_the_right_tag_still_gets_nothing(acme: Customer, client: Client) -> None:
    url = f"/api/v1/invoices/{an_invoice(acme).number}/"
    tag = client.get(url)["ETag"]

    answer = with_key(a_customer("bolt")).get(url, headers={"if-none-match": tag})

    assert answer.status_code == 404


def test_the_documents_of_an_invoice(acme: Customer, client: Client) -> None:
    number = an_invoice(acme).number

    paper, table = client.get(f"/api/v1/invoices/{number}/pdf"), client.get(f"/api/v1/invoices/{number}/csv")
    again = client.get(f"/api/v1/invoices/{number}/pdf", headers={"if-none-match": paper["ETag"]})

    assert (paper["Content-Type"], paper.content[:5]) == ("application/pdf", b"%PDF-")
    assert paper["Content-Disposition"] == f'attachment; filename="{number}.pdf"'
    assert table.content.decode().splitlines()[-1].split(",")[7:9] == ["9.06", "EUR"]
    assert again.status_code == 304


def test_the_plans_that_apply_now_and_later(acme: Customer, client: Client) -> None:
    for price, since in (("0.050", "2025-02-01"), ("0.044", "2199-01-01")):
        publish(save_draft(read(PLAN.replace("0.042", price).replace("2025-01-01", since)))[0])

    rows = client.get("/api/v1/plans/").json()["results"]

    assert [(row["code"], row["version"], row["effective_from"]) for row in rows] == [
        ("cloud", 2, "2025-02-01T00:00:00Z"),
        ("cloud", 3, "2199-01-01T00:00:00Z"),
    ]
    assert rows[0]["prices"][1]["tiers"][0] == {"up_to": "1", "unit_price": "0.05"}
    assert rows[0]["subscribed_until"] is None


@pytest.mark.parametrize("url", ["estimate/?period=2025-10", "invoices/?limit=501", "invoices/?cursor=cD1ub3c%3D", "plans/?x=1"])
def test_a_bad_parameter_is_refused(client: Client, url: str) -> None:
    answer = client.get(f"/api/v1/{url}")

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("url", "queries"), [("estimate/", 15), ("plans/", 5), ("invoices/", 2), ("invoices/{number}/", 4), ("wallet/", 4)]
)
@pytest.mark.parametrize("machines", [1, 20])
def test_queries_do_not_grow_with_the_fleet(
    acme: Customer, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries, url: str, queries: int, machines: int
) -> None:
    for number in range(machines):
        a_bucket(a_machine(acme, f"web-{number}"), bucket_start(to_ms(now())))
    invoice = an_invoice(acme)

    with django_assert_max_num_queries(KEY_QUERIES + queries):
        assert client.get("/api/v1/" + url.format(number=invoice.number)).status_code == 200
