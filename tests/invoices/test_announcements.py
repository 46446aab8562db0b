"""What of invoices is told by webhook: that one is final, and the payment after which nothing is left to pay."""

import json
from datetime import date

import pytest
from django.db import transaction

from accounts import webhooks
from accounts.models import Customer, WebhookEvent
from invoices import ledger
from invoices.payments import record_payment
from tests.invoices.books import final

pytestmark = pytest.mark.django_db
EVENTS = ["invoice.finalized", "invoice.paid"]


def _told() -> list[str]:
    return list(WebhookEvent.objects.order_by("at").values_list("kind", flat=True))


def test_a_final_invoice_and_its_last_payment_are_told(customer: Customer) -> None:
    webhooks.add(customer, "https://hooks.acme.example/", EVENTS)
    invoice = final(customer)
    paid_on = invoice.issued_on or date(2025, 11, 2)

    record_payment(invoice, 100, "first", paid_on)
    record_payment(invoice, 100, "first", paid_on)
    after_a_part = _told()
    record_payment(invoice, invoice.total_minor - 100, "rest", paid_on)

    assert after_a_part == ["invoice.finalized"]
    assert _told() == EVENTS
    data = json.loads(WebhookEvent.objects.get(kind="invoice.paid").body)["data"]
    assert data["invoice"] == invoice.number
    assert data["total"] == {"amount": "9.00", "currency": "EUR"}


def test_an_invoice_that_the_wallet_pays_is_paid_at_once(customer: Customer) -> None:
    webhooks.add(customer, "https://hooks.acme.example/", EVENTS)
    ledger.top_up(customer, 100_000, "prepaid")

    final(customer)

    assert _told() == EVENTS


def test_what_is_rolled_back_is_not_told(customer: Customer) -> None:
    webhooks.add(customer, "https://hooks.acme.example/", EVENTS)

    with transaction.atomic():
        final(customer)
        transaction.set_rollback(True)

    assert _told() == []
