"""What of invoices is told to a customer's own programs, by webhook, in the transaction in which it happens."""

from typing import Any

from accounts import outbox
from invoices.issued import Invoice, Payment
from invoices.money import amount_text


def announce_final(invoice: Invoice) -> None:
    """A final invoice; and that it is paid, where nothing is left to pay."""
    outbox.emit(invoice.customer_id, "invoice.finalized", f"invoice.finalized:{invoice.pk}", _about(invoice))
    if invoice.total_minor <= 0:
        outbox.emit(invoice.customer_id, "invoice.paid", f"invoice.paid:{invoice.pk}:", _about(invoice))


def announce_payment(invoice: Invoice, payment: Payment, left_minor: int) -> None:
    """The payment after which nothing is left to pay."""
    if payment.amount_minor > 0 and left_minor <= 0:
        outbox.emit(invoice.customer_id, "invoice.paid", f"invoice.paid:{invoice.pk}:{payment.pk}", _about(invoice))


def _about(invoice: Invoice) -> dict[str, Any]:
    return {
        "invoice": invoice.number,
        "customer": invoice.customer_code,
        "period_start": invoice.period_start.isoformat().replace("+00:00", "Z"),
        "period_end": invoice.period_end.isoformat().replace("+00:00", "Z"),
        "issued_on": str(invoice.issued_on),
        "due_on": str(invoice.due_on),
        "total": {"amount": amount_text(invoice.total_minor, invoice.currency), "currency": invoice.currency},
    }
