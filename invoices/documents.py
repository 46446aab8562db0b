"""An invoice on paper, as CSV, JSON and XML, from its own rows alone: the same invoice gives the same bytes in ten years, too.

Python decides every word and number; layout/invoice.typ only sets them.
"""

import csv
import io
import json
from dataclasses import dataclass

from accounts.languages import spoken
from invoices.document_text import content
from invoices.einvoice import EInvoiceError, of_invoice
from invoices.einvoice_cii import cii
from invoices.einvoice_ubl import ubl
from invoices.models import Invoice
from invoices.money import amount_text
from invoices.paper import paper
from invoices.seal import printed
from invoices.xrechnung import exchanged


@dataclass(frozen=True, slots=True)
class File:
    """A document as it is sent."""

    content: bytes
    kind: str
    name: str


def file_of(invoice: Invoice, suffix: str) -> File:
    """Return an invoice as pdf, csv, json, xml (CII) or ubl. Raise EInvoiceError where the standard cannot say it."""
    number = invoice.number or "draft"
    match suffix:
        case "pdf":
            return File(pdf(invoice), "application/pdf", f"{number}.pdf")
        case "csv":
            return File(csv_text(invoice).encode(), "text/csv; charset=utf-8", f"{number}.csv")
        case "json":
            return File(json_text(invoice).encode(), "application/json", f"{number}.json")
        case "xml":
            return File(cii(exchanged(of_invoice(invoice))), "application/xml", f"{number}.xml")
        case "ubl":
            return File(ubl(exchanged(of_invoice(invoice))), "application/xml", f"{number}.ubl.xml")
    raise ValueError(f"An invoice is no {suffix!r}.")


def pdf(invoice: Invoice) -> bytes:
    """Return the invoice as PDF/A: of a final one that EN 16931 can say as Factur-X, with the XML inside."""
    try:
        xml = cii(of_invoice(invoice)).decode() if invoice.number else None
    except EInvoiceError:
        xml = None
    with spoken(invoice.locale):
        return paper(content(invoice), xml, invoice.finalised_at or invoice.refreshed_at)


def json_text(invoice: Invoice) -> str:
    """Return everything that is printed as JSON: the very text that the invoice's seal is taken of, indented."""
    return json.dumps(printed(invoice), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def csv_text(invoice: Invoice) -> str:
    """Return the lines and totals with plain decimals, for a spreadsheet. Text that one would run as a formula is quoted."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(
        ["line", "kind", "meter", "period_start", "period_end", "quantity", "unit", "amount", "currency", "plan", "version"]
    )
    for line in invoice.lines.all():
        span = (line.period_start.isoformat(), line.period_end.isoformat())
        amount = amount_text(line.amount_minor, invoice.currency)
        rows.writerow(
            [cell(line.name), line.kind, line.meter, *span, line.quantity_text, line.unit, amount, invoice.currency]
            + [cell(line.plan_name), line.plan_version]
        )
    below = [("Discount", -invoice.discount_minor)] if invoice.discount_minor else []
    paid = [("From the wallet", -invoice.credit_minor)] if invoice.credit_minor else []
    sums = [("Subtotal", invoice.subtotal_minor), *below, ("Tax", invoice.tax_minor), *paid, ("Total", invoice.total_minor)]
    for name, amount_minor in sums:
        rows.writerow([name, "", "", "", "", "", "", amount_text(amount_minor, invoice.currency), invoice.currency, "", ""])
    return out.getvalue()


def cell(text: str) -> str:
    """Keep a spreadsheet from running a name as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
