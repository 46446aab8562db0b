"""The shapes of the money API's answers, and how rows and estimates are put into them."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from django.db.models import Q
from rest_framework import serializers

from accounts.models import Customer
from accounts.schema import MoneySerializer
from invoices.estimate import Estimate
from invoices.ledger import wallet_minor
from invoices.models import CreditNote, Invoice, InvoiceLine, LedgerEntry, Payment
from invoices.money import amount_text, decimal_text, exact_text, rounded_text
from invoices.rating import Line
from invoices.terms import VersionTerms


class PeriodSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="Exclusive")
    timezone = serializers.CharField(help_text="In which the month was counted")


class PlanNameSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()


class LineSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="usage, flat_fee or correction")
    name = serializers.CharField()
    plan = PlanNameSerializer()
    start = serializers.DateTimeField(help_text="Of this line: the part of the period in which its plan version held")
    end = serializers.DateTimeField()
    meter = serializers.CharField(allow_null=True)
    quantity = serializers.CharField(allow_null=True, help_text="In `unit`, as printed")
    unit = serializers.CharField(allow_null=True)
    base = serializers.IntegerField(help_text="The quantity, exactly, in `base_unit`")
    base_unit = serializers.CharField(allow_null=True)
    exact = serializers.CharField(help_text="The amount before its one rounding: a decimal, or numerator/denominator")
    amount = MoneySerializer()
    derivation = serializers.DictField(help_text="How the amount came about: tiers, machines, coverage")


class EstimateSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    at = serializers.DateTimeField(help_text="Up to when usage is counted")
    period = PeriodSerializer()
    lines = LineSerializer(many=True)
    subtotal = MoneySerializer()
    discount = MoneySerializer()
    tax = MoneySerializer()
    credit = MoneySerializer(help_text="Paid from the wallet")
    total = MoneySerializer(help_text="What the invoice would say if the period ended now")
    exact = MoneySerializer(help_text="The same before rounding, four decimals: moves below a cent")
    per_hour = MoneySerializer(allow_null=True, help_text="Cost of the last whole hour; null in a period's first hour")


class InvoiceSerializer(serializers.Serializer[Any]):
    number = serializers.CharField()
    customer = serializers.CharField(help_text="Customer code")
    status = serializers.ChoiceField(choices=["open", "partly_paid", "overdue", "paid", "credited", "void"])
    period = PeriodSerializer()
    issued_on = serializers.DateField()
    due_on = serializers.DateField()
    finalised_at = serializers.DateTimeField()
    subtotal = MoneySerializer()
    discount = MoneySerializer()
    tax = MoneySerializer()
    credit = MoneySerializer(help_text="Paid from the wallet; below zero it went there")
    total = MoneySerializer(help_text="What was to be paid")
    paid = MoneySerializer()
    credited = MoneySerializer(help_text="Taken off by credit notes")
    outstanding = MoneySerializer(help_text="What is still to be paid")


class PartySerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    address = serializers.CharField()
    tax_id = serializers.CharField()


class DiscountSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    amount = MoneySerializer()


class TaxSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    category = serializers.CharField(help_text="Of EN 16931: S standard, Z zero, AE reverse charge, O not subject to tax")
    percent = serializers.CharField()
    reason = serializers.CharField(help_text="Why none is charged")
    base = MoneySerializer()
    tax = MoneySerializer()


class PaymentSerializer(serializers.Serializer[Any]):
    reference = serializers.CharField()
    received_on = serializers.DateField()
    amount = MoneySerializer()


class CreditNoteSerializer(serializers.Serializer[Any]):
    number = serializers.CharField()
    issued_on = serializers.DateField()
    reason = serializers.CharField()
    total = MoneySerializer()
    to_wallet = MoneySerializer(help_text="What was paid already and went to the wallet")


class WalletEntrySerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    reference = serializers.CharField()
    note = serializers.CharField()
    amount = MoneySerializer(help_text="Above zero it came, below it went")


class WalletSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    balance = MoneySerializer()
    entries = WalletEntrySerializer(many=True, help_text="The last hundred, newest first")


class InvoiceDetailSerializer(InvoiceSerializer):
    content_hash = serializers.CharField(help_text="SHA-256 of everything printed")
    discounts = DiscountSerializer(many=True)
    taxes = TaxSerializer(many=True)
    payments = PaymentSerializer(many=True)
    credit_notes = CreditNoteSerializer(many=True)
    buyer_reference = serializers.CharField(help_text="What the customer wants quoted; empty: nothing")
    seller = PartySerializer()
    buyer = PartySerializer()
    lines = LineSerializer(many=True)


class PlanSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    version = serializers.IntegerField()
    effective_from = serializers.DateTimeField()
    subscribed_from = serializers.DateTimeField()
    subscribed_until = serializers.DateTimeField(allow_null=True)
    prices = serializers.ListField(
        child=serializers.DictField(), help_text="As in a plan file: decimal strings per unit, with the keys of the model"
    )


class PlanPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = PlanSerializer(many=True)


def money(amount_minor: int, currency: str) -> dict[str, str]:
    """An amount in minor units as the API says it."""
    return {"amount": amount_text(amount_minor, currency), "currency": currency}


def rfc3339(instant: datetime) -> str:
    """An instant as RFC 3339 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """A running cost as EstimateSerializer describes it."""
    currency = estimate.currency
    per_hour = {"amount": rounded_text(estimate.per_hour, 4), "currency": currency} if estimate.per_hour is not None else None
    return {
        "customer": estimate.customer_code,
        "at": rfc3339(estimate.at),
        "period": _period_json(estimate.period.start, estimate.period.end, estimate.timezone),
        "lines": [line_json(line, line.span.start, line.span.end, currency) for line in estimate.lines],
        "subtotal": money(estimate.subtotal_minor, currency),
        "discount": money(estimate.totals.discount_minor, currency),
        "tax": money(estimate.tax_minor, currency),
        "credit": money(estimate.totals.credit_minor, currency),
        "total": money(estimate.total_minor, currency),
        "exact": {"amount": estimate.exact_text, "currency": currency},
        "per_hour": per_hour,
    }


def invoice_json(invoice: Invoice) -> dict[str, Any]:
    """A finalised invoice without its lines, from a row of `with_settlement()`."""
    return {
        "number": invoice.number,
        "customer": invoice.customer_code,
        "status": invoice.status,
        "period": _period_json(invoice.period_start, invoice.period_end, invoice.timezone),
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "finalised_at": invoice.finalised_at and rfc3339(invoice.finalised_at),
        "subtotal": money(invoice.subtotal_minor, invoice.currency),
        "discount": money(invoice.discount_minor, invoice.currency),
        "tax": money(invoice.tax_minor, invoice.currency),
        "credit": money(invoice.credit_minor, invoice.currency),
        "total": money(invoice.total_minor, invoice.currency),
        "paid": money(invoice.paid_minor, invoice.currency),
        "credited": money(invoice.credited_minor, invoice.currency),
        "outstanding": money(invoice.outstanding_minor, invoice.currency),
    }


def invoice_detail_json(invoice: Invoice) -> dict[str, Any]:
    """The same with who bills whom, and every line."""
    lines = [line_json(line, line.period_start, line.period_end, invoice.currency) for line in invoice.lines.order_by("position")]
    return {
        **invoice_json(invoice),
        "content_hash": invoice.content_hash,
        "discounts": [{"name": one["name"], "amount": money(one["amount_minor"], invoice.currency)} for one in invoice.discounts],
        "taxes": [tax_json(tax, invoice.currency) for tax in invoice.taxes],
        "payments": [payment_json(payment) for payment in invoice.payments.all()],
        "credit_notes": [credit_note_json(note, invoice.currency) for note in invoice.credit_notes.all()],
        "buyer_reference": invoice.buyer_reference,
        "seller": _party_json(invoice.seller_name, invoice.seller_address, invoice.seller_tax_id),
        "buyer": _party_json(invoice.customer_name, invoice.customer_address, invoice.customer_tax_id),
        "lines": lines,
    }


def payment_json(payment: Payment) -> dict[str, Any]:
    """Money received, as PaymentSerializer describes it."""
    return {
        "reference": payment.reference,
        "received_on": payment.received_on,
        "amount": money(payment.amount_minor, payment.invoice.currency),
    }


def wallet_json(customer: Customer) -> dict[str, Any]:
    """A customer's wallet as WalletSerializer describes it."""
    entries = LedgerEntry.objects.filter(customer=customer, currency=customer.currency)
    entries = entries.filter(Q(debit=LedgerEntry.Account.WALLET) | Q(credit=LedgerEntry.Account.WALLET))
    return {
        "customer": customer.code,
        "balance": money(wallet_minor(customer), customer.currency),
        "entries": [_entry_json(entry) for entry in entries[:100]],
    }


def _entry_json(entry: LedgerEntry) -> dict[str, Any]:
    sign = 1 if entry.credit == LedgerEntry.Account.WALLET else -1
    return {
        "at": rfc3339(entry.at),
        "kind": entry.kind,
        "reference": entry.reference,
        "note": entry.note,
        "amount": money(sign * entry.amount_minor, entry.currency),
    }


def tax_json(tax: dict[str, Any], currency: str) -> dict[str, Any]:
    """A tax as charged, as TaxSerializer describes it."""
    amounts = {"base": money(tax["base_minor"], currency), "tax": money(tax["tax_minor"], currency)}
    words = {key: tax[key] for key in ("name", "category", "reason")}
    return {**words, "percent": decimal_text(tax["rate_micro"], 4), **amounts}


def credit_note_json(note: CreditNote, currency: str) -> dict[str, Any]:
    """What was given back, as CreditNoteSerializer describes it."""
    return {
        "number": note.number,
        "issued_on": note.issued_on,
        "reason": note.reason,
        "total": money(note.total_minor, currency),
        "to_wallet": money(note.to_wallet_minor, currency),
    }


def line_json(line: Line | InvoiceLine, start: datetime, end: datetime, currency: str) -> dict[str, Any]:
    """A line, running or printed: the two say the same."""
    return {
        "kind": line.kind,
        "name": line.name,
        "plan": {"code": line.plan_code, "name": line.plan_name, "version": line.plan_version},
        "start": rfc3339(start),
        "end": rfc3339(end),
        "meter": line.meter or None,
        "quantity": line.quantity_text or None,
        "unit": line.unit or None,
        "base": line.quantity,
        "base_unit": line.base_unit or None,
        "exact": exact_text(line.exact) if isinstance(line.exact, Fraction) else line.exact,
        "amount": money(line.amount_minor, currency),
        "derivation": line.derivation,
    }


def plan_json(version: VersionTerms, start: datetime, end: datetime | None, prices: list[dict[str, Any]]) -> dict[str, Any]:
    """A plan version that a customer is subscribed to in [start, end)."""
    return {
        "code": version.plan_code,
        "name": version.plan_name,
        "currency": version.currency,
        "version": version.number,
        "effective_from": rfc3339(version.effective_from),
        "subscribed_from": rfc3339(start),
        "subscribed_until": rfc3339(end) if end else None,
        "prices": prices,
    }


def _period_json(start: datetime, end: datetime, timezone: str) -> dict[str, str]:
    return {"start": rfc3339(start), "end": rfc3339(end), "timezone": timezone}


def _party_json(name: str, address: str, tax_id: str) -> dict[str, str]:
    return {"name": name, "address": address, "tax_id": tax_id}
