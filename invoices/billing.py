"""The only writer of invoices: draft, finalise, void. Each holds the customer's row, so two never meet.

A draft is rated anew whenever asked, and once more in the transaction that finalises it. From then on the row and its
lines are frozen by triggers; payments, credit notes and a voiding are rows of their own.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now

from accounts.audit import record
from accounts.models import Customer
from invoices import ledger, mailing
from invoices.announcements import announce_final
from invoices.bounds import breaches
from invoices.days import with_days
from invoices.due import calendar_of, over_at
from invoices.estimate import Estimate, preview
from invoices.models import Invoice, InvoiceLine, Voiding
from invoices.money import exact_text
from invoices.numbers import invoice_number
from invoices.rating import Line
from invoices.refusals import BillingError
from invoices.seal import seal_of
from usage.periods import Period

log = logging.getLogger(__name__)


@transaction.atomic
def draft(customer: Customer, period: Period, *, whole_history: bool = False) -> Invoice | None:
    """Make or refresh the draft of a period. Return None where there is nothing to bill, or no longer.

    Raise BillingError where the period has a final invoice. For `whole_history` see estimate.preview().
    """
    made = _draft(ledger.locked(customer), period, whole_history=whole_history)
    return made[0] if made else None


@transaction.atomic
def finalise(invoice: Invoice, at: datetime | None = None) -> Invoice:
    """Rate a draft a last time, number it, freeze it and book it.

    Raise BillingError before its period is over, if it is final, and where a bound is broken that nobody has let pass.
    """
    moment = at or now()
    customer = ledger.locked(invoice.customer)
    period = Period(invoice.period_start, invoice.period_end)
    if (over := over_at(customer, period)) > moment:
        raise BillingError(f"The period runs until {over:%Y-%m-%d %H:%M} UTC; it can be finalised then.")
    fresh = _finalise(customer, period, moment)
    if fresh is None:
        raise BillingError("There is nothing to bill any more; the draft is gone.")
    if fresh.waits:
        raise BillingError(f"Held for review: {' '.join(breach['text'] for breach in fresh.held)}")
    return fresh


def _draft(customer: Customer, period: Period, *, whole_history: bool) -> tuple[Invoice, list[InvoiceLine]] | None:
    """Write the draft of a customer whose row is held, and return it with its lines."""
    final = _final_within(customer, period)
    if final is not None:
        raise BillingError(f"{final} has billed that period already.")
    content = preview(customer, period, whole_history=whole_history)
    invoice = Invoice.objects.filter(customer=customer, period_start=period.start, state=Invoice.State.DRAFT).first()
    if not content.lines:
        if invoice is not None:
            invoice.delete()
        return None
    if invoice is not None:
        invoice.lines.all().delete()
    invoice = invoice or Invoice(customer=customer, period_start=period.start, attempt=_voided(customer, period))
    _copy(invoice, customer, content)
    invoice.held = breaches(customer, content.lines, content.subtotal_minor, customer.currency)
    invoice.save()
    lines = with_days(customer, content.lines)
    rows = [_row(invoice, position, line) for position, line in enumerate(lines, start=1)]
    return invoice, InvoiceLine.objects.bulk_create(rows)


def _finalise(customer: Customer, period: Period, at: datetime) -> Invoice | None:
    """Draft with all that is known, and make that final unless it is held. Return None where there is nothing to bill."""
    made = _draft(customer, period, whole_history=True)
    if made is None:
        return None
    invoice, lines = made
    if invoice.waits:
        return invoice
    invoice.issued_on = at.astimezone(customer.zone).date()
    invoice.due_on = invoice.issued_on + timedelta(days=customer.due_days)
    invoice.number = invoice_number(invoice.issued_on)
    invoice.state, invoice.finalised_at = Invoice.State.FINALISED, at
    invoice.content_hash = seal_of(invoice, lines)
    invoice.save()
    ledger.post_invoice(invoice)
    announce_final(invoice)
    mailing.finalised(invoice)
    about = {"number": invoice.number, "total_minor": invoice.total_minor, "hash": invoice.content_hash}
    record("invoice.finalised", f"invoice:{invoice.pk}", customer_pk=customer.pk, after=about)
    return invoice


@transaction.atomic
def release(invoice: Invoice, reason: str, by: str = "") -> Invoice:
    """Let a held draft pass the bounds that it breaks now. Raise BillingError where it is not held, or without a reason."""
    ledger.locked(invoice.customer)
    current = Invoice.objects.get(pk=invoice.pk)
    if not reason.strip():
        raise BillingError("Say why it may pass.")
    if current.state != Invoice.State.DRAFT or not current.waits:
        raise BillingError(f"{current} is not held.")
    current.released = sorted({breach["bound"] for breach in current.held})
    current.release_reason, current.released_by = reason.strip(), by
    current.save(update_fields=["released", "release_reason", "released_by"])
    record("invoice.released", f"invoice:{current.pk}", customer_pk=current.customer_id, after={"reason": current.release_reason})
    return current


@transaction.atomic
def void(invoice: Invoice, reason: str, by: str = "") -> Voiding:
    """Declare a final invoice void; its period can be billed anew. Raise BillingError if it is a draft, void or paid for."""
    ledger.locked(invoice.customer)
    if not reason.strip():
        raise BillingError("Say why the invoice is void.")
    if not Invoice.objects.final().filter(pk=invoice.pk).exists():
        raise BillingError(f"{invoice} is not open: only a finalised invoice can be declared void.")
    if invoice.payments.exists():
        raise BillingError(f"{invoice} has payments; it cannot be declared void.")
    if invoice.credit_notes.exists():
        raise BillingError(f"{invoice} has credit notes; it cannot be declared void.")
    ledger.post_void(invoice, by)
    record("invoice.voided", f"invoice:{invoice.pk}", customer_pk=invoice.customer_id, after={"reason": reason.strip()})
    return Voiding.objects.create(invoice=invoice, reason=reason.strip(), voided_by=by)


def close(customer: Customer, at: datetime | None = None) -> list[Invoice]:
    """Bill every month that is over: draft it in the grace period, finalise it after. Return the invoices touched."""
    moment = at or now()
    calendar = calendar_of(customer)
    newest = calendar.period_at(calendar.period_at(moment).start - timedelta(hours=1))
    touched = []
    for period in calendar.open_periods(moment):
        try:
            invoice = _close_period(customer, period, moment, whole_history=period.end >= newest.end)
        except BillingError as error:
            log.info("%s from %s: %s", customer.code, period.start, error)  # Another run was here first: go on with the next.
            continue
        touched += [invoice] if invoice is not None else []
    return touched


@transaction.atomic
def _close_period(customer: Customer, period: Period, at: datetime, *, whole_history: bool) -> Invoice | None:
    """Late usage of any age makes an invoice of its own in the newest month that is over, and joins one that is made anyway."""
    customer = ledger.locked(customer)
    if over_at(customer, period) + timedelta(hours=customer.grace_hours) > at:
        made = _draft(customer, period, whole_history=whole_history)
        return made[0] if made else None
    if not whole_history and _draft(customer, period, whole_history=False) is None:
        return None
    invoice = _finalise(customer, period, at)
    if invoice is not None and invoice.waits:
        log.warning("%s is held for review: %s", invoice, invoice.held)
    return invoice


def _final_within(customer: Customer, period: Period) -> Invoice | None:
    """Return a final invoice that covers any of a period."""
    final = Invoice.objects.final().filter(customer=customer, period_start__lt=period.end, period_end__gt=period.start)
    return final.first()


def _voided(customer: Customer, period: Period) -> int:
    return Invoice.objects.filter(customer=customer, period_start=period.start, voiding__isnull=False).count()


def _copy(invoice: Invoice, customer: Customer, content: Estimate) -> None:
    """Copy everything that will be printed."""
    invoice.period_end = content.period.end
    invoice.timezone, invoice.locale, invoice.currency = customer.timezone, customer.locale, customer.currency
    invoice.seller_name, invoice.seller_address = settings.SELLER_NAME, settings.SELLER_ADDRESS
    invoice.seller_tax_id = settings.SELLER_TAX_ID
    invoice.customer_code, invoice.customer_name = customer.code, customer.name
    invoice.customer_address, invoice.customer_tax_id = customer.address, customer.tax_id
    invoice.seller_country, invoice.customer_country = settings.SELLER_COUNTRY, customer.country or settings.SELLER_COUNTRY
    invoice.seller_contact, invoice.seller_phone = settings.SELLER_CONTACT, settings.SELLER_PHONE
    invoice.seller_email, invoice.seller_iban = settings.SELLER_EMAIL, settings.SELLER_IBAN
    invoice.customer_email, invoice.buyer_reference = customer.invoice_email, customer.buyer_reference
    own = [line for line in content.lines if line.plan_code and line.kind != "correction"]
    plans = {(line.plan_code, line.plan_name, line.plan_version): None for line in own}
    invoice.plans = [{"code": code, "name": name, "version": version} for code, name, version in plans]
    totals = content.totals
    invoice.subtotal_minor, invoice.discount_minor = totals.subtotal_minor, totals.discount_minor
    invoice.tax_minor, invoice.tax_included = totals.tax_minor, totals.tax_included
    invoice.credit_minor, invoice.total_minor = totals.credit_minor, totals.total_minor
    invoice.discounts, invoice.taxes = totals.discounts_json(), totals.taxes_json()
    invoice.refreshed_at = content.at


def _row(invoice: Invoice, position: int, line: Line) -> InvoiceLine:
    return InvoiceLine(
        invoice=invoice,
        position=position,
        kind=line.kind,
        name=line.name,
        charge_key=line.charge_key,
        meter=line.meter,
        plan_code=line.plan_code,
        plan_name=line.plan_name,
        plan_version=line.plan_version,
        period_start=line.span.start,
        period_end=line.span.end,
        quantity=line.quantity,
        base_unit=line.base_unit,
        unit=line.unit,
        quantity_text=line.quantity_text,
        exact=exact_text(line.exact),
        amount_minor=line.amount_minor,
        derivation=line.derivation,
    )
