"""An invoice on paper and as CSV, from its own rows alone. The same invoice gives the same bytes, now and in ten years.

Python decides every word and number; layout/invoice.typ only sets them. Text reaches it as JSON strings, which typst
never reads as markup, so a customer's name can hold any character.
"""

import csv
import io
import json
from pathlib import Path
from typing import Literal

import font_lato
import typst

from invoices.document_text import content
from invoices.models import Invoice
from invoices.money import amount_text
from usage.periods import to_ms

TEMPLATE = Path(__file__).parent / "layout" / "invoice.typ"
FONTS = Path(font_lato.__file__).parent / "files"


def pdf(invoice: Invoice) -> bytes:
    """Return the invoice as PDF/A-2b, or as plain PDF where a name has a character that the font lacks.

    PDF/A allows no missing glyph, and an invoice with one box in it is better than none.
    """
    try:
        return _compile(invoice, "a-2b")
    except typst.TypstError as error:
        if "could not be displayed with font" not in error.message:
            raise
        return _compile(invoice, None)


def _compile(invoice: Invoice, standard: Literal["a-2b"] | None) -> bytes:
    stamp = invoice.finalised_at or invoice.refreshed_at
    made: bytes = typst.compile(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=[FONTS],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"invoice": json.dumps(content(invoice), ensure_ascii=False)},
        pdf_standards=standard,
        timestamp=to_ms(stamp) // 1000,
    )
    return made


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
    for name, amount_minor in (("Subtotal", invoice.subtotal_minor), ("Tax", invoice.tax_minor), ("Total", invoice.total_minor)):
        rows.writerow([name, "", "", "", "", "", "", amount_text(amount_minor, invoice.currency), invoice.currency, "", ""])
    return out.getvalue()


def _cell(text: str) -> str:
    """Keep a spreadsheet from running a name as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
