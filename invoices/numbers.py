"""Numbers without a gap: each taken from its series' counter under a lock, in the transaction that stores what it numbers."""

from datetime import date

from django.conf import settings

from invoices.issued import InvoiceCounter


def invoice_number(issued_on: date) -> str:
    """Take the next invoice number. Its counter stays locked until the invoice is stored, or neither happens."""
    return _next(settings.INVOICE_PREFIX, issued_on)


def credit_note_number(issued_on: date) -> str:
    """Take the next number of a credit note, from a series of its own."""
    return _next(settings.CREDIT_NOTE_PREFIX, issued_on)


def _next(prefix: str, issued_on: date) -> str:
    series = f"{prefix}-{issued_on.year}" if settings.INVOICE_SERIES == "yearly" else prefix
    counters = InvoiceCounter.objects.select_for_update().filter(series=series)
    counter = counters.first()
    if counter is None:  # The first of its series; another may be making it, too.
        InvoiceCounter.objects.get_or_create(series=series)
        counter = counters.get()
    counter.next_number += 1
    counter.save(update_fields=["next_number"])
    return f"{series}-{counter.next_number - 1:04d}"
