"""An invoice on paper, as CSV, JSON and XML, from its own rows alone: the same invoice gives the same bytes in ten years, too.

Python decides every word and number; layout/invoice.typ only sets them. Text reaches it as JSON strings, which typst
never reads as markup, so a customer's name can hold any character.
"""

import csv
import io
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import font_lato
import typst

from invoices.document_text import content
from invoices.einvoice import EInvoiceError, of_invoice
from invoices.einvoice_cii import cii
from invoices.einvoice_ubl import ubl
from invoices.facturx_pdf import marked
from invoices.models import Invoice
from invoices.money import amount_text
from invoices.seal import printed
from usage.periods import to_ms

TEMPLATE = Path(__file__).parent / "layout" / "invoice.typ"
FONTS = Path(font_lato.__file__).parent / "files"
_of_this_thread = threading.local()


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
            return File(cii(of_invoice(invoice)), "application/xml", f"{number}.xml")
        case "ubl":
            return File(ubl(of_invoice(invoice)), "application/xml", f"{number}.ubl.xml")
    raise ValueError(f"An invoice is no {suffix!r}.")


def pdf(invoice: Invoice) -> bytes:
    """Return the invoice as PDF/A: of a final one that EN 16931 can say as Factur-X, with the XML inside.

    PDF/A allows no missing glyph. Where a name has a character that the font lacks it is plain PDF: an invoice with one box
    in it is better than none.
    """
    try:
        xml = cii(of_invoice(invoice)).decode() if invoice.number else None
    except EInvoiceError:
        xml = None
    try:
        return marked(_compile(invoice, "a-3b", xml)) if xml else _compile(invoice, "a-2b")
    except typst.TypstError as error:
        if "could not be displayed with font" not in error.message:
            raise
        return _compile(invoice, None)


def _compile(invoice: Invoice, standard: Literal["a-2b", "a-3b"] | None, xml: str | None = None) -> bytes:
    stamp = invoice.finalised_at or invoice.refreshed_at
    made = _compiler().compile(
        format="pdf",
        sys_inputs={"invoice": json.dumps(content(invoice) | {"xml": xml}, ensure_ascii=False)},
        pdf_standards=standard,
        timestamp=to_ms(stamp) // 1000,
    )
    assert isinstance(made, bytes)  # noqa: S101 - without an output path it is the document
    return made


def _compiler() -> typst.Compiler:
    """One a thread, for it cannot be shared: it has read the fonts and the layout once."""
    if not hasattr(_of_this_thread, "compiler"):
        _of_this_thread.compiler = typst.Compiler(TEMPLATE, root=TEMPLATE.parent, font_paths=[FONTS], ignore_system_fonts=True)
    found: typst.Compiler = _of_this_thread.compiler
    return found


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
            [_cell(line.name), line.kind, line.meter, *span, line.quantity_text, line.unit, amount, invoice.currency]
            + [_cell(line.plan_name), line.plan_version]
        )
    below = [("Discount", -invoice.discount_minor)] if invoice.discount_minor else []
    paid = [("From the wallet", -invoice.credit_minor)] if invoice.credit_minor else []
    sums = [("Subtotal", invoice.subtotal_minor), *below, ("Tax", invoice.tax_minor), *paid, ("Total", invoice.total_minor)]
    for name, amount_minor in sums:
        rows.writerow([name, "", "", "", "", "", "", amount_text(amount_minor, invoice.currency), invoice.currency, "", ""])
    return out.getvalue()


def _cell(text: str) -> str:
    """Keep a spreadsheet from running a name as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
