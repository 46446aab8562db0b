"""Electronic invoices against the rules of EN 16931 as its makers compiled them, in both syntaxes, and inside the PDF."""

import hashlib
import io
import json
from datetime import date
from typing import Any

import facturx
import pypdf
import pytest
from django.db import connection
from django.test import override_settings

from invoices import documents
from invoices.einvoice import EInvoiceError, of_invoice
from invoices.einvoice_cii import cii
from invoices.einvoice_ubl import ubl
from invoices.issued import Invoice
from tests.invoices.books import final
from tests.invoices.ebills import CASES, CII_RULES, GERMAN_SELLER, UBL_RULES, a_bill, discounted, failures, prepaid, said

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor == "postgresql", reason="The same rows on both; the rules are slow")
@pytest.mark.parametrize("case", CASES)
@override_settings(**GERMAN_SELLER)
def test_the_rules_of_en_16931_refuse_nothing_in_either_syntax(case: str) -> None:
    bill = said(CASES[case]())

    assert facturx.xml_check_xsd(cii(bill), flavor="factur-x", level="en16931")
    assert failures(cii(bill), CII_RULES) == []
    assert failures(ubl(bill), UBL_RULES) == []


@override_settings(**GERMAN_SELLER)
def test_the_rules_do_refuse_what_is_wrong() -> None:
    bill = said(final(a_bill()))
    wrong_cii, wrong_ubl = (b">15.48<".join(xml.rsplit(b">15.47<", 1)) for xml in (cii(bill), ubl(bill)))

    assert [one[:8] for one in failures(wrong_cii, CII_RULES)] != []
    assert [one[:8] for one in failures(wrong_ubl, UBL_RULES)] == ["BR-CO-16"]


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
