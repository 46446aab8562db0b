"""A credit note's own documents: paper, CSV, JSON, XML; at portal, API and desk; for its customer alone."""

import csv
import io
import json
from datetime import date
from xml.etree import ElementTree

import pypdf
import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import Customer
from invoices import credit_note_documents, credit_notes, payments
from invoices.books import CreditNote
from tests.cast import a_customer, a_member, an_operator, signed_in, with_key
from tests.invoices.books import final
from tests.invoices.rows import HOUR_MS, OCTOBER, used
from tests.invoices.test_documents import words
from usage.models import Machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def note(customer: Customer, machine: Machine, settings: Settings) -> CreditNote:
    """Of 9.00 and 4.00 with 19 % tax, 15.47 together, 11.47 are paid; all 4.00 of CPU are given back, 4.76 with tax."""
    settings.SELLER_COUNTRY, settings.SELLER_TAX_ID = "DE", "DE123456789"
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    invoice = final(customer)
    payments.record_payment(invoice, 1147, "bank-1", date(2026, 11, 9))
    return credit_notes.credit_lines(invoice, {2: None}, "=Outage of 3 October")


def test_the_paper_says_what_was_given_back_and_where_it_went(note: CreditNote) -> None:
    made = credit_note_documents.pdf(note)

    text = words(made)

    for said in (
        f"Credit note {note.number}",
        "Tideline Cartography Speicherweg 14 20457 Hamburg",
        "Invoice CH-2026-0001",
        "Reason =Outage of 3 October",
        "CPU €4.00",
        "Without tax €4.00",
        "Total €4.76",
        "€4.00 less is to be paid of CH-2026-0001. €0.76 went to your credit.",
    ):
        assert said in text
    assert "Base fee" not in text
    assert credit_note_documents.pdf(note) == made
    assert list(pypdf.PdfReader(io.BytesIO(made)).attachments) == ["factur-x.xml"]


def test_the_other_files_say_the_same(note: CreditNote) -> None:
    rows = list(csv.DictReader(io.StringIO(credit_note_documents.csv_text(note))))
    told = json.loads(credit_note_documents.file_of(note, "json").content)
    cii, ubl = (ElementTree.fromstring(credit_note_documents.file_of(note, kind).content) for kind in ("xml", "ubl"))  # noqa: S314

    assert [(row["line"], row["amount"]) for row in rows] == [
        ("CPU", "4.00"), ("Without tax", "4.00"), ("Tax", "0.76"), ("Total", "4.76"),
    ]  # fmt: skip
    assert (told["number"], told["invoice"], told["total_minor"]) == (note.number, "CH-2026-0001", 476)
    assert cii.find(".//{*}GrandTotalAmount").text == "4.76"  # type: ignore[union-attr]
    assert ubl.tag.endswith("}CreditNote")


@pytest.mark.parametrize("kind", credit_note_documents.KINDS)
def test_each_file_is_for_its_customer_and_the_desk_alone(note: CreditNote, customer: Customer, kind: str) -> None:
    portal, rest = f"/credit-notes/{note.number}.{kind}", f"/api/v1/credit-notes/{note.number}/{'' if kind == 'json' else kind}"
    bolt = a_customer("bolt")
    stranger = signed_in(a_member(bolt, email="z@bolt.example"))

    page, told = signed_in(a_member(customer)).get(portal), with_key(customer).get(rest)
    at_desk = signed_in(an_operator()).get(f"/admin/invoices/creditnote/{note.pk}/{kind}")

    assert (page.status_code, told.status_code, at_desk.status_code) == (200, 200, 200)
    assert page.content == at_desk.content
    assert kind == "json" or page.content == told.content
    assert (stranger.get(portal).status_code, with_key(bolt).get(rest).status_code) == (404, 404)
    assert Client().get(portal)["Location"].startswith("/sign-in/")


def test_the_api_shows_its_lines_and_tax(note: CreditNote, customer: Customer) -> None:
    shown = with_key(customer).get(f"/api/v1/credit-notes/{note.number}/").json()

    assert shown["lines"] == [{"position": 2, "name": "CPU", "amount": {"amount": "4.00", "currency": "EUR"}}]
    assert (shown["invoice"], shown["subtotal"]["amount"], shown["tax"]["amount"]) == ("CH-2026-0001", "4.00", "0.76")
    assert (shown["total"]["amount"], shown["to_wallet"]["amount"]) == ("4.76", "0.76")


def test_no_other_kind_of_file_is_there(note: CreditNote, customer: Customer) -> None:
    assert signed_in(a_member(customer)).get(f"/credit-notes/{note.number}.doc").status_code == 404
    assert signed_in(an_operator()).get(f"/admin/invoices/creditnote/{note.pk}/doc").status_code == 404


def test_what_the_standard_cannot_say_is_no_file_but_paper(note: CreditNote, customer: Customer) -> None:
    note.invoice.seller_country = ""

    with pytest.raises(ValueError, match="both countries"):
        credit_note_documents.file_of(note, "xml")
    assert "Total €4.76" in words(credit_note_documents.pdf(note))
