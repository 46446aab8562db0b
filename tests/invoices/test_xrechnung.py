"""XRechnung against the rules of its makers (tests/data/xrechnung), in both syntaxes, and each rule seen to refuse."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from invoices import credit_note_documents, credit_notes, documents
from invoices.einvoice import SPECIFICATION, EInvoice, EInvoiceError, Party, of_invoice, town
from invoices.einvoice_cii import cii
from invoices.einvoice_ubl import ubl
from invoices.xrechnung import exchanged
from tests.invoices.books import final
from tests.invoices.ebills import CASES, GERMAN_SELLER, UBL_RULES, a_bill, failures, said

pytestmark = pytest.mark.django_db
DATA = Path(__file__).parents[1] / "data" / "xrechnung"
DE_CII, DE_UBL = DATA / "XRechnung-CII-validation.xsl", DATA / "XRechnung-UBL-validation.xsl"
ELSEWHERE = ("France", "reverse charge", "Switzerland", "yen, no", "long address")
GERMAN = [name for name in CASES if not any(words in name for words in ELSEWHERE)]


@pytest.mark.skipif(connection.vendor == "postgresql", reason="The same rows on both; the rules are slow")
@pytest.mark.parametrize("case", GERMAN)
@override_settings(**GERMAN_SELLER)
def test_the_rules_of_xrechnung_refuse_nothing_in_either_syntax(case: str) -> None:
    bill = exchanged(said(CASES[case]()))

    assert failures(cii(bill), DE_CII, warnings=True) == []
    assert failures(ubl(bill), DE_UBL, warnings=True) == []


def party(of: str, **fields: str) -> Callable[[EInvoice], EInvoice]:
    def without(bill: EInvoice) -> EInvoice:
        changed: Party = replace(getattr(bill, of), **fields)
        return replace(bill, **{of: changed})  # type: ignore[arg-type]

    return without


def contact(**fields: str) -> Callable[[EInvoice], EInvoice]:
    return lambda bill: replace(bill, contact=replace(bill.contact, **fields))  # type: ignore[type-var]


WITHOUT: dict[str, Callable[[EInvoice], EInvoice]] = {
    "BR-DE-1": lambda bill: replace(bill, iban=""),
    "BR-DE-2": lambda bill: replace(bill, contact=None),
    "BR-DE-3": party("seller", city=""),
    "BR-DE-4": party("seller", post_code=""),
    "BR-DE-5": contact(name=""),
    "BR-DE-6": contact(phone=""),
    "BR-DE-7": contact(email=""),
    "BR-DE-8": party("buyer", city=""),
    "BR-DE-9": party("buyer", post_code=""),
    "BR-DE-15": lambda bill: replace(bill, reference=""),
    "BR-DE-16": party("seller", tax_id=""),
    "BR-DE-19": lambda bill: replace(bill, iban="DE89370400440532013001"),
    "BR-DE-21": lambda bill: replace(bill, specification=SPECIFICATION),
    "BR-DE-27": contact(phone="none"),
    "BR-DE-28": contact(email="@"),
    "PEPPOL-EN16931-R001": lambda bill: replace(bill, process=""),
    "PEPPOL-EN16931-R010": party("buyer", email=""),
    "PEPPOL-EN16931-R020": party("seller", email=""),
}


@pytest.mark.skipif(connection.vendor == "postgresql", reason="The same rows on both; the rules are slow")
@override_settings(**GERMAN_SELLER)
def test_each_rule_refuses_a_document_without_what_it_asks_for() -> None:
    bill = exchanged(said(final(a_bill())))

    for rule, without in WITHOUT.items():
        broken = without(bill)
        assert rule in [one.split(":")[0] for one in failures(cii(broken), DE_CII, warnings=True)], rule
        assert rule in [one.split(":")[0] for one in failures(ubl(broken), DE_UBL, warnings=True)], rule


@pytest.mark.parametrize(
    ("seller", "fields", "reason"),
    [
        ({"SELLER_PHONE": ""}, {}, r"lacks: a contact \(SELLER_CONTACT, SELLER_PHONE, SELLER_EMAIL\)\."),
        ({"SELLER_IBAN": "", "SELLER_ADDRESS": "Hamburg"}, {}, "an account .*, post code and town"),
        ({}, {"invoice_email": "", "address": "Speicherweg 14"}, "the same in the customer's address, the customer's e-mail"),
    ],
)
def test_what_is_missing_is_named_and_the_pdf_is_made_all_the_same(
    seller: dict[str, str], fields: dict[str, Any], reason: str
) -> None:
    with override_settings(**GERMAN_SELLER | seller):
        invoice = final(a_bill(**fields))

        with pytest.raises(EInvoiceError, match=reason):
            documents.file_of(invoice, "xml")
        assert b"factur-x.xml" in documents.pdf(invoice)


@pytest.mark.parametrize("fields", [{"buyer_reference": ""}, {"country": "AT", "address": "Ring 1\n1010 Wien"}])
@override_settings(**GERMAN_SELLER)
def test_without_a_reference_or_outside_germany_it_stays_en_16931(fields: dict[str, Any]) -> None:
    invoice = final(a_bill(**fields))

    document = documents.file_of(invoice, "xml").content

    assert b"<ram:ID>urn:cen.eu:en16931:2017</ram:ID>" in document
    assert b"xrechnung" not in document


@override_settings(**GERMAN_SELLER)
def test_what_an_authority_wants_is_copied_and_stays_when_it_changes() -> None:
    customer = a_bill()
    invoice = final(customer)
    note = credit_notes.credit_whole(invoice, "Outage")
    type(customer).objects.update(buyer_reference="another", invoice_email="new@amt.example")

    sent = [documents.file_of(invoice, "ubl").content, credit_note_documents.file_of(note, "ubl").content]

    for document in sent:
        assert b"<cbc:BuyerReference>04011000-1234512345-06</cbc:BuyerReference>" in document
        assert b'<cbc:EndpointID schemeID="EM">rechnung@amt.example</cbc:EndpointID>' in document
        assert b"kosit:xrechnung_3.0" in document


@override_settings(**GERMAN_SELLER | {"SELLER_COUNTRY": "CH", "SELLER_ADDRESS": "Bahnhofstr. 1\n8001 Zürich"})
def test_xrechnung_names_a_rate_even_where_nothing_is_subject_to_vat() -> None:
    bill = exchanged(of_invoice(final(a_bill())))

    assert bill.category == "O"
    assert failures(cii(bill), DE_CII) == []
    assert failures(ubl(bill), DE_UBL) == []
    assert failures(ubl(bill), UBL_RULES) == []


@pytest.mark.parametrize(
    ("address", "country", "found"),
    [
        ("Kai 3|20457 Hamburg", "DE", (("Kai 3",), "20457", "Hamburg")),
        ("Kai 3|D-20457 Hamburg|Deutschland", "DE", (("Kai 3",), "20457", "Hamburg")),
        ("ul. Nowa 1|00-950 Warszawa", "PL", (("ul. Nowa 1",), "00-950", "Warszawa")),
        ("Straat 1|1012 AB Amsterdam", "NL", (("Straat 1",), "1012 AB", "Amsterdam")),
        ("Vägen 1|111 22 Stockholm", "SE", (("Vägen 1",), "111 22", "Stockholm")),
        ("1600 Main Street|Mountain View, CA 94043", "US", (("1600 Main Street", "Mountain View, CA 94043"), "", "")),
        ("20457 Hamburg", "DE", (("20457 Hamburg",), "", "")),
        ("", "DE", ((), "", "")),
    ],
)
def test_post_code_and_town_are_taken_from_the_address(address: str, country: str, found: object) -> None:
    assert town(tuple(row for row in address.split("|") if row), country) == found
