"""The seal of an invoice: a SHA-256 over everything that it prints, in one canonical form. Anyone can compute it again."""

import hashlib
import json
from datetime import date, datetime
from typing import Any

from invoices.explain import instant_text
from invoices.issued import Invoice, InvoiceLine

# What the row keeps for the product's own use, and prints nowhere.
NOT_PRINTED = frozenset(
    "id customer state content_hash created_at refreshed_at attempt held released release_reason released_by".split()
)
# Columns that came later. Where they say nothing they are left out, so that an older invoice keeps its seal.
CAME_LATER = frozenset("customer_email buyer_reference seller_contact seller_phone seller_email seller_iban".split())
LINE_NOT_PRINTED = frozenset(("id", "invoice"))


def seal_of(invoice: Invoice, lines: list[InvoiceLine] | None = None) -> str:
    """Return the hexadecimal SHA-256 of an invoice with its lines, as they stand in these rows."""
    text = json.dumps(printed(invoice, lines), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def printed(invoice: Invoice, lines: list[InvoiceLine] | None = None) -> dict[str, Any]:
    """Return everything that an invoice prints, as plain JSON."""
    rows = invoice.lines.order_by("position") if lines is None else lines
    empty = {name for name in CAME_LATER if not getattr(invoice, name)}
    return {**_fields(invoice, NOT_PRINTED | empty), "lines": [_fields(line, LINE_NOT_PRINTED) for line in rows]}


def _fields(row: Invoice | InvoiceLine, left_out: frozenset[str]) -> dict[str, Any]:
    return {field.name: _plain(getattr(row, field.attname)) for field in row._meta.concrete_fields if field.name not in left_out}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else value
