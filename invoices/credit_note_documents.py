"""A credit note on paper, as CSV, JSON and XML, from its own row and its invoice's: the same bytes each time."""

import csv
import io
import json
from typing import Any

from django.utils.translation import gettext as _

from accounts.languages import spoken
from invoices import display
from invoices.books import CreditNote
from invoices.document_text import party, tax_name
from invoices.documents import File, cell
from invoices.einvoice import EInvoiceError, of_credit_note
from invoices.einvoice_cii import cii
from invoices.einvoice_ubl import ubl
from invoices.money import amount_text
from invoices.paper import paper
from invoices.xrechnung import exchanged

KINDS = ("pdf", "csv", "json", "xml", "ubl")


def file_of(note: CreditNote, suffix: str) -> File:
    """Return a credit note as pdf, csv, json, xml (CII) or ubl. Raise EInvoiceError where the standard cannot say it."""
    match suffix:
        case "pdf":
            return File(pdf(note), "application/pdf", f"{note.number}.pdf")
        case "csv":
            return File(csv_text(note).encode(), "text/csv; charset=utf-8", f"{note.number}.csv")
        case "json":
            text = json.dumps(printed(note), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
            return File(text.encode(), "application/json", f"{note.number}.json")
        case "xml":
            return File(cii(exchanged(of_credit_note(note))), "application/xml", f"{note.number}.xml")
        case "ubl":
            return File(ubl(exchanged(of_credit_note(note))), "application/xml", f"{note.number}.ubl.xml")
    raise ValueError(f"A credit note is no {suffix!r}.")


def pdf(note: CreditNote) -> bytes:
    """Return the note as PDF/A, as Factur-X with the XML inside where EN 16931 can say it."""
    try:
        xml = cii(of_credit_note(note)).decode()
    except EInvoiceError:
        xml = None
    with spoken(note.invoice.locale):
        return paper(content(note), xml, note.issued_at)


def content(note: CreditNote) -> dict[str, Any]:
    """Return every word and number of the document, as the layout of invoices wants them."""
    invoice = note.invoice
    return {
        "title": _("Credit note %(number)s") % {"number": note.number},
        "banner": "",
        "seller": party(invoice.seller_name, invoice.seller_address, invoice.seller_tax_id),
        "customer": party(invoice.customer_name, invoice.customer_address, invoice.customer_tax_id),
        "facts": [
            [_("Issued"), display.day(note.issued_on, invoice.locale)],
            [_("Invoice"), invoice.number],
            [_("Reason"), note.reason],
            [_("Customer"), invoice.customer_code],
        ],
        "lines": [
            {"name": line["name"], "remark": "", "quantity": "", "unit": "", "amount": _money(note, line["amount_minor"])}
            for line in note.lines
        ],
        "totals": _totals(note),
        "total": _money(note, note.total_minor),
        "note": _where_it_went(note),
        "chart": [],
        "days": [],
        "seal": "",
        "appendix": [],
    }


def _totals(note: CreditNote) -> list[list[str]]:
    if not note.taxes:
        return []
    taxes = [[tax_name(note.invoice, tax), _money(note, tax["tax_minor"])] for tax in note.taxes]
    return [[_("Without tax"), _money(note, note.subtotal_minor)], *taxes]


def _where_it_went(note: CreditNote) -> str:
    open_minor = note.total_minor - note.to_wallet_minor
    less = {"amount": _money(note, open_minor), "number": note.invoice.number}
    said = [_("%(amount)s less is to be paid of %(number)s.") % less] if open_minor else []
    if note.to_wallet_minor:
        said.append(_("%(amount)s went to your credit.") % {"amount": _money(note, note.to_wallet_minor)})
    return " ".join(said)


def _money(note: CreditNote, amount_minor: int) -> str:
    return display.money(amount_minor, note.invoice.currency, note.invoice.locale)


def printed(note: CreditNote) -> dict[str, Any]:
    """Return everything that a credit note prints, as plain JSON."""
    invoice = note.invoice
    return {
        "number": note.number,
        "invoice": invoice.number,
        "issued_on": note.issued_on.isoformat(),
        "reason": note.reason,
        "currency": invoice.currency,
        "lines": note.lines,
        "subtotal_minor": note.subtotal_minor,
        "taxes": note.taxes,
        "tax_minor": note.tax_minor,
        "total_minor": note.total_minor,
        "to_wallet_minor": note.to_wallet_minor,
        **{
            f"{who}_{field}": getattr(invoice, f"{who}_{field}")
            for who in ("seller", "customer")
            for field in ("name", "address", "tax_id", "country")
        },
        "customer_code": invoice.customer_code,
    }


def csv_text(note: CreditNote) -> str:
    """Return lines and totals with plain decimals, for a spreadsheet. Text that one would run as a formula is quoted."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(["line", "amount", "currency", "credit_note", "invoice"])
    sums = [("Without tax", note.subtotal_minor), ("Tax", note.tax_minor), ("Total", note.total_minor)]
    for name, amount_minor in [*((cell(line["name"]), line["amount_minor"]) for line in note.lines), *sums]:
        amount = amount_text(amount_minor, note.invoice.currency)
        rows.writerow([name, amount, note.invoice.currency, note.number, note.invoice.number])
    return out.getvalue()
