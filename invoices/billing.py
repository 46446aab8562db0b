"""The only writer of invoices: draft, finalise, pay, void. Each holds the customer's row, so two never meet.

A draft is rated anew whenever asked, and once more in the transaction that finalises it. From then on the row and its
lines are frozen by triggers; payments and a voiding are rows of their own.
"""

import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now

from accounts.models import Customer
from invoices.estimate import Estimate, preview
from invoices.gather import billing_period
from invoices.models import Invoice, InvoiceCounter, InvoiceLine, Payment, Subscription, Voiding
from invoices.money import amount_text, exact_text
from invoices.rating import Line
from usage.periods import Period

log = logging.getLogger(__name__)
DUE_DAYS = 14
# From the end of a subscription to the last month that may still bring a correction.
_LATE = timedelta(days=settings.USAGE_MAX_AGE_DAYS + 62)


class BillingError(ValueError):
    """Why an invoice cannot be made, paid or voided, as a sentence for the operator."""


@transaction.atomic
def draft(customer: Customer, period: Period, *, whole_history: bool = False) -> Invoice | None:
    """Make or refresh the draft of a period. Return None where there is nothing to bill, or no longer.

    Raise BillingError where the period has a final invoice. For `whole_history` see estimate.preview().
    """
    customer = _locked(customer)
    final = _final_within(customer, period)
    if final is not None:
        raise BillingError(f"{final} has billed that period already.")
    content = preview(customer, period, whole_history=whole_history)
    invoice = Invoice.objects.filter(customer=customer, period_start=period.start, state=Invoice.State.DRAFT).first()
    if not content.lines:
        if invoice is not None:
            invoice.delete()
        return None
    invoice = invoice or Invoice(customer=customer, period_start=period.start, attempt=_voided(customer, period))
    _copy(invoice, customer, content)
    invoice.save()
    invoice.lines.all().delete()
    InvoiceLine.objects.bulk_create(_row(invoice, position, line) for position, line in enumerate(content.lines, start=1))
    return invoice


@transaction.atomic
def finalise(invoice: Invoice, at: datetime | None = None) -> Invoice:
    """Rate a draft a last time, number it and freeze it. Raise BillingError before its period is over, or if final."""
    moment = at or now()
    customer = _locked(invoice.customer)
    if invoice.period_end > moment:
        raise BillingError(f"The period runs until {invoice.period_end:%Y-%m-%d %H:%M} UTC; it can be finalised then.")
    fresh = draft(customer, Period(invoice.period_start, invoice.period_end), whole_history=True)
    if fresh is None:
        raise BillingError("There is nothing to bill any more; the draft is gone.")
    issued_on = moment.astimezone(customer.zone).date()
    fresh.number = _next_number(issued_on.year)
    fresh.state = Invoice.State.FINALISED
    fresh.finalised_at = moment
    fresh.issued_on = issued_on
    fresh.due_on = issued_on + timedelta(days=DUE_DAYS)
    fresh.save()
    return fresh


@transaction.atomic
def record_payment(invoice: Invoice, amount_minor: int, reference: str, received_on: date, by: str = "") -> Payment:
    """Record money received, or with a negative amount money that went back. The same reference counts once.

    Raise BillingError for a draft, a void one, another amount under a known reference, a day to come, and where more
    would be paid than is due, or less than nothing.
    """
    _locked(invoice.customer)
    known = invoice.payments.filter(reference=reference).first()
    if known is not None:
        if known.amount_minor == amount_minor:
            return known
        raise BillingError(f"{reference!r} is recorded with {amount_text(known.amount_minor, invoice.currency)}.")
    if not Invoice.objects.final().filter(pk=invoice.pk).exists():
        raise BillingError(f"{invoice} is not open: only a finalised invoice that is not void can be paid.")
    if received_on > now().astimezone(invoice.customer.zone).date():
        raise BillingError(f"{received_on} is still to come: record a payment when it has arrived.")
    paid = sum(invoice.payments.values_list("amount_minor", flat=True))
    if not min(0, invoice.total_minor) <= paid + amount_minor <= max(0, invoice.total_minor):
        due = amount_text(invoice.total_minor - paid, invoice.currency)
        raise BillingError(f"Of {invoice} {due} {invoice.currency} is due and {amount_text(paid, invoice.currency)} is paid.")
    return invoice.payments.create(amount_minor=amount_minor, reference=reference, received_on=received_on, recorded_by=by)


@transaction.atomic
def void(invoice: Invoice, reason: str, by: str = "") -> Voiding:
    """Declare a final invoice void; its period can be billed anew. Raise BillingError if it is a draft, void or paid for."""
    _locked(invoice.customer)
    if not reason.strip():
        raise BillingError("Say why the invoice is void.")
    if not Invoice.objects.final().filter(pk=invoice.pk).exists():
        raise BillingError(f"{invoice} is not open: only a finalised invoice can be declared void.")
    if invoice.payments.exists():
        raise BillingError(f"{invoice} has payments; it cannot be declared void.")
    return Voiding.objects.create(invoice=invoice, reason=reason.strip(), voided_by=by)


def close(customer: Customer, at: datetime | None = None) -> list[Invoice]:
    """Bill every month that is over: draft it in the grace period, finalise it after. Return the invoices touched."""
    moment = at or now()
    newest = billing_period(customer, billing_period(customer, moment).start - timedelta(hours=1))
    touched = []
    for period in open_periods(customer, moment):
        try:
            invoice = _close_period(customer, period, moment, whole_history=period.end >= newest.end)
        except BillingError as error:
            log.info("%s from %s: %s", customer.code, period.start, error)  # Another run was here first: go on with the next.
            continue
        touched += [invoice] if invoice is not None else []
    return touched


def _close_period(customer: Customer, period: Period, at: datetime, *, whole_history: bool) -> Invoice | None:
    """Late usage of any age makes an invoice of its own in the newest month that is over, and joins one that is made anyway."""
    invoice = draft(customer, period, whole_history=whole_history)
    if invoice is None or period.end + timedelta(hours=customer.grace_hours) > at:
        return invoice
    return finalise(invoice, at)


def open_periods(customer: Customer, at: datetime) -> Iterator[Period]:
    """Yield what is over by `at` and no final invoice covers: voided periods as they were, then months, oldest first.

    The months begin with the first subscription. After the last one has ended they go on while a machine may still send
    usage; from then on only the newest is yielded, which holds what an operator admitted later.
    """
    subscriptions = Subscription.objects.filter(customer=customer).order_by("start")
    first = subscriptions.first()
    if first is None:
        return
    again = _voided_periods(customer)
    yield from again
    ends = [subscription.end for subscription in subscriptions]
    last_end = None if None in ends else max(end for end in ends if end is not None)
    start = first.start
    while (period := billing_period(customer, start)).end <= at:
        start = period.end
        late = last_end is not None and period.end > last_end + _LATE and billing_period(customer, start).end <= at
        if not late and not any(_overlap(period, other) for other in again) and _final_within(customer, period) is None:
            yield period


def _voided_periods(customer: Customer) -> list[Period]:
    """Return the periods of void invoices that no final one covers: they are billed anew from edge to edge.

    After a change of the customer's zone they are no longer what its calendar would say.
    """
    void = Invoice.objects.filter(customer=customer, voiding__isnull=False).order_by("period_start", "-period_end")
    periods: list[Period] = []
    for start, end in void.values_list("period_start", "period_end"):
        period = Period(start, end)
        if not any(_overlap(period, other) for other in periods) and _final_within(customer, period) is None:
            periods.append(period)
    return periods


def _overlap(one: Period, other: Period) -> bool:
    return one.start < other.end and other.start < one.end


def _final_within(customer: Customer, period: Period) -> Invoice | None:
    """Return a final invoice that covers any of a period."""
    final = Invoice.objects.final().filter(customer=customer, period_start__lt=period.end, period_end__gt=period.start)
    return final.first()


def _locked(customer: Customer) -> Customer:
    """Return the customer as it is now, its row held to the end of the transaction."""
    return Customer.objects.select_for_update().get(pk=customer.pk)


def _voided(customer: Customer, period: Period) -> int:
    return Invoice.objects.filter(customer=customer, period_start=period.start, voiding__isnull=False).count()


def _next_number(year: int) -> str:
    """Take the next number of the year's series. Its row is locked until the invoice is stored, or neither happens."""
    series = f"{settings.INVOICE_PREFIX}-{year}"
    InvoiceCounter.objects.get_or_create(series=series)
    counter = InvoiceCounter.objects.select_for_update().get(series=series)
    number = counter.next_number
    counter.next_number = number + 1
    counter.save(update_fields=["next_number"])
    return f"{series}-{number:04d}"


def _copy(invoice: Invoice, customer: Customer, content: Estimate) -> None:
    """Copy everything that will be printed."""
    invoice.period_end = content.period.end
    invoice.timezone, invoice.locale, invoice.currency = customer.timezone, customer.locale, customer.currency
    invoice.seller_name, invoice.seller_address = settings.SELLER_NAME, settings.SELLER_ADDRESS
    invoice.seller_tax_id = settings.SELLER_TAX_ID
    invoice.customer_code, invoice.customer_name = customer.code, customer.name
    invoice.customer_address, invoice.customer_tax_id = customer.address, customer.tax_id
    plans = {(line.plan_code, line.plan_name, line.plan_version): None for line in content.lines if line.kind != "correction"}
    invoice.plans = [{"code": code, "name": name, "version": version} for code, name, version in plans]
    invoice.subtotal_minor, invoice.tax_minor = content.subtotal_minor, content.tax_minor
    invoice.total_minor = content.total_minor
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
