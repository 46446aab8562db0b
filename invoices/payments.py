"""The only writer of payments: money received for a final invoice, each reference once."""

from datetime import date

from django.db import transaction
from django.utils.timezone import now

from accounts.audit import record
from invoices import ledger, mailing
from invoices.announcements import announce_payment
from invoices.issued import Invoice, Payment
from invoices.money import amount_text
from invoices.refusals import BillingError


class PaymentError(BillingError):
    """Why a payment cannot be recorded, and what of it is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


@transaction.atomic
def record_payment(invoice: Invoice, amount_minor: int, reference: str, received_on: date, by: str = "") -> Payment:
    """Record money received, or with a negative amount money that went back. The same reference counts once.

    Raise BillingError for a draft and a void one, PaymentError for another amount under a known reference, a day to come,
    and where more would be paid than is due, or less than nothing.
    """
    ledger.locked(invoice.customer)
    known = invoice.payments.filter(reference=reference).first()
    if known is not None:
        if known.amount_minor == amount_minor:
            return known
        raise PaymentError("amount", f"{reference!r} is recorded with {amount_text(known.amount_minor, invoice.currency)}.")
    if not reference.strip():
        raise PaymentError("reference", "Give a reference; the same one counts once.")
    current = Invoice.objects.final().with_settlement().filter(pk=invoice.pk).first()
    if current is None:
        raise BillingError(f"{invoice} is not open: only a finalised invoice that is not void can be paid.")
    if received_on > now().astimezone(invoice.customer.zone).date():
        raise PaymentError("received_on", f"{received_on} is still to come: record a payment when it has arrived.")
    _check_amount(current, amount_minor)
    payment = invoice.payments.create(amount_minor=amount_minor, reference=reference, received_on=received_on, recorded_by=by)
    ledger.post_payment(payment)
    announce_payment(invoice, payment, current.outstanding_minor - amount_minor)
    mailing.paid(payment)
    about = {"invoice": invoice.number, "amount_minor": amount_minor, "reference": reference}
    record("payment.recorded", f"payment:{payment.pk}", customer_pk=invoice.customer_id, after=about)
    return payment


def _check_amount(invoice: Invoice, amount_minor: int) -> None:
    """Never more than is due, never less than nothing."""
    paid, asked = invoice.paid_minor, invoice.total_minor - invoice.credited_minor
    if not amount_minor or not min(0, asked) <= paid + amount_minor <= max(0, asked):
        due = amount_text(asked - paid, invoice.currency)
        text = f"Of {invoice} {due} {invoice.currency} is due and {amount_text(paid, invoice.currency)} is paid."
        raise PaymentError("amount", text)
