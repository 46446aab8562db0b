"""The books through their doors: API, portal and the operator's desk. Strangers get 404."""

import json
from datetime import date, timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Customer
from invoices import billing, credit_notes, ledger, payments, runs
from invoices.books import CreditNote, InvoiceRun, LedgerEntry, OneOffItem
from invoices.issued import Invoice
from tests.cast import a_customer, a_member, an_operator, signed_in, with_key
from tests.invoices.books import final, sums
from tests.invoices.rows import HOUR_MS, NOVEMBER, OCTOBER, used, utc
from tests.invoices.test_admin import act
from usage.models import Machine, UsageBucket

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(customer: Customer, machine: Machine) -> Invoice:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    return final(customer)


@pytest.fixture
def desk() -> Client:
    return signed_in(an_operator())


def pay(client: Client, number: str, **changes: str) -> tuple[int, dict[str, object]]:
    body = {"amount": "5.00", "currency": "EUR", "reference": "bank-1", "received_on": "2026-11-09"} | changes
    answer = client.post(f"/api/v1/invoices/{number}/payments/", json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


def test_an_operators_program_records_a_payment_once(desk: Client, invoice: Invoice) -> None:
    first, again = pay(desk, "CH-2026-0001"), pay(desk, "CH-2026-0001")

    assert (first[0], again[0]) == (201, 200)
    assert (
        first[1]
        == again[1]
        == {
            "reference": "bank-1",
            "received_on": "2026-11-09",
            "amount": {"amount": "5.00", "currency": "EUR"},
            "outstanding": {"amount": "8.00", "currency": "EUR"},
        }
    )
    assert invoice.payments.get().recorded_by == "otto@corehour.example"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "13.01"}, "amount"),
        ({"amount": "-0.01"}, "amount"),
        ({"amount": "5,00"}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"reference": ""}, "reference"),
        ({"received_on": "2999-01-01"}, "received_on"),
    ],
)
def test_a_payment_that_cannot_be_names_its_field(desk: Client, invoice: Invoice, changes: dict[str, str], field: str) -> None:
    status, answer = pay(desk, "CH-2026-0001", **changes)

    assert (status, list(answer["errors"])) == (400, [field])  # type: ignore[call-overload]
    assert not invoice.payments.exists()


def test_nobody_else_finds_the_door_for_payments(invoice: Invoice, customer: Customer) -> None:
    member = signed_in(a_member(customer))

    assert pay(member, "CH-2026-0001")[0] == 404
    assert pay(with_key(customer), "CH-2026-0001")[0] in (403, 404)
    assert not invoice.payments.exists()


def test_the_api_shows_what_became_of_an_invoice(invoice: Invoice, customer: Customer) -> None:
    payments.record_payment(invoice, 1000, "bank-1", date(2026, 11, 9))
    note = credit_notes.credit_amount(invoice, 500, "Outage")

    answer = with_key(customer).get("/api/v1/invoices/CH-2026-0001/").json()

    assert [answer[key]["amount"] for key in ("total", "paid", "credited", "outstanding")] == ["13.00", "10.00", "3.00", "0.00"]
    assert (answer["status"], answer["content_hash"]) == ("paid", invoice.content_hash)
    assert answer["payments"] == [
        {"reference": "bank-1", "received_on": "2026-11-09", "amount": {"amount": "10.00", "currency": "EUR"}}
    ]
    assert [(one["number"], one["total"]["amount"], one["to_wallet"]["amount"]) for one in answer["credit_notes"]] == [
        (note.number, "5.00", "2.00")
    ]


def test_the_wallet_is_its_owners_alone(customer: Customer) -> None:
    ledger.top_up(customer, 1000, "prepaid-1", note="In advance")

    mine = with_key(customer).get("/api/v1/wallet/").json()
    theirs = with_key(a_customer("bolt")).get("/api/v1/wallet/?customer=tideline")

    assert mine["balance"] == {"amount": "10.00", "currency": "EUR"}
    assert [(one["kind"], one["reference"], one["note"], one["amount"]["amount"]) for one in mine["entries"]] == [
        ("top_up", "prepaid-1", "In advance", "10.00")
    ]
    assert theirs.status_code == 404


@pytest.mark.parametrize("kind", ["xml", "ubl"])
def test_electronic_invoices_are_downloaded_by_their_owner_alone(customer: Customer, settings: Settings, kind: str) -> None:
    settings.SELLER_COUNTRY, settings.SELLER_TAX_ID = "DE", "DE123456789"
    final(customer)

    mine = with_key(customer).get(f"/api/v1/invoices/CH-2026-0001/{kind}")
    page = signed_in(a_member(customer)).get(f"/invoices/CH-2026-0001.{kind}")
    theirs = with_key(a_customer("bolt")).get(f"/api/v1/invoices/CH-2026-0001/{kind}")
    stranger = signed_in(a_member(a_customer("zinc"), email="z@zinc.example")).get(f"/invoices/CH-2026-0001.{kind}")

    assert (mine["Content-Type"], mine.content[:5]) == ("application/xml", b"<?xml")
    assert mine.content == page.content
    assert (theirs.status_code, stranger.status_code) == (404, 404)


def test_what_the_standard_cannot_say_is_said_and_no_file(invoice: Invoice, customer: Customer) -> None:
    answer = with_key(customer).get("/api/v1/invoices/CH-2026-0001/xml")
    page = signed_in(a_member(customer))

    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert "both countries" in answer.json()["detail"]
    assert page.get("/invoices/CH-2026-0001.xml").status_code == 404
    assert page.get("/invoices/CH-2026-0001.doc").status_code == 404
    assert page.get("/invoices/CH-2026-0001.json").status_code == 200


def test_the_pages_show_payments_credit_notes_and_the_wallet(invoice: Invoice, customer: Customer) -> None:
    OneOffItem.objects.create(customer=customer, name="Migration", amount_minor=5000, at=NOVEMBER.start)
    payments.record_payment(invoice, 1000, "bank-1", date(2026, 11, 9))
    credit_notes.credit_amount(invoice, 500, "Outage of 3 October")
    reader = signed_in(a_member(customer))

    page = reader.get("/invoices/CH-2026-0001/").content.decode()
    listed = reader.get("/invoices/").content.decode()

    for words in ("Since it was issued", "bank-1", "Credit note: Outage of 3 October", "of it to your credit", ">Paid<"):
        assert words in page
    assert "of credit pays the next invoices first" in listed
    assert "Migration" in reader.get("/invoices/preview/").content.decode()


def test_an_operator_credits_lines_an_amount_or_all(desk: Client, invoice: Invoice) -> None:
    both = act(desk, "invoice", invoice.pk, "credit-note", reason="Outage", lines="2", amount="1.00")
    act(desk, "invoice", invoice.pk, "credit-note", reason="Outage", lines="2", amount="")
    act(desk, "invoice", invoice.pk, "credit-note", reason="Outage", lines="", amount="1.00")
    act(desk, "invoice", invoice.pk, "credit-note", reason="Outage", lines="", amount="")

    assert both == ["Name either lines or an amount."]
    assert list(CreditNote.objects.order_by("pk").values_list("total_minor", flat=True)) == [400, 100, 800]
    assert desk.get("/admin/invoices/creditnote/").status_code == 200
    assert desk.get(f"/admin/invoices/invoice/{invoice.pk}/change/").status_code == 200


def test_an_operator_releases_what_is_held(desk: Client, customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)
    UsageBucket.objects.update(covered_ms=2 * OCTOBER.length_ms)
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None

    refused = act(desk, "invoice", draft.pk, "finalise")
    released = act(desk, "invoice", draft.pk, "release", reason="A clock was wrong")

    assert refused[0].startswith("Held for review: web-1 was metered for")
    assert released == ["Released: A clock was wrong."]
    assert act(desk, "invoice", draft.pk, "finalise") == ["Finalised as CH-2026-0001."]


def test_an_operator_fills_a_wallet_and_pays_back_no_more_than_it_holds(desk: Client, customer: Customer) -> None:
    page = "/admin/invoices/ledgerentry/wallet/"
    body = {"customer": customer.pk, "what": "top_up", "amount": "10.00", "reference": "bank-1", "note": ""}

    shown = desk.get(page)
    done = desk.post(page, body)
    too_much = desk.post(page, body | {"what": "pay_back", "amount": "10.01", "reference": "back-1"})

    assert (shown.status_code, done.status_code) == (200, 302)
    assert "holds 10.00 EUR" in too_much.content.decode()
    assert sums(customer) == {"cash": 1000, "wallet": -1000}
    assert LedgerEntry.objects.get().by == "otto@corehour.example"


def test_runs_show_who_was_parked_and_why(desk: Client, customer: Customer) -> None:
    customer.subscriptions.update(start=utc(2026, 10, 15))
    Customer.objects.update(currency="USD")
    for item in runs.begin(OCTOBER.end + timedelta(days=2)):
        runs.work(item, OCTOBER.end + timedelta(days=2))

    listed = desk.get("/admin/invoices/invoicerun/").content.decode()
    page = desk.get(f"/admin/invoices/invoicerun/{InvoiceRun.objects.get().pk}/change/").content.decode()

    assert "1 of 1 customers" in listed
    assert "CurrencyError" in page


@pytest.mark.parametrize("model", ["creditnote", "ledgerentry", "invoicerun", "discount", "oneoffitem", "taxrate"])
def test_the_new_desks_open(desk: Client, customer: Customer, model: str) -> None:
    ledger.top_up(customer, 100, "prepaid-1")

    assert desk.get(f"/admin/invoices/{model}/").status_code == 200
