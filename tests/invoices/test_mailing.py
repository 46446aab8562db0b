"""Mail about invoices: to whom, once for each occasion, tried again when it fails, in the customer's language."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from pytest_django import Settings

from accounts import mails
from accounts.mail_models import Mail
from accounts.models import Customer
from invoices import billing, mailing, tasks
from invoices.issued import Invoice
from invoices.payments import record_payment
from invoices.refusals import BillingError
from tests.cast import a_member
from tests.invoices.rows import HOUR_MS, OCTOBER, used, utc
from usage.models import Machine

pytestmark = pytest.mark.django_db
AT = OCTOBER.end + timedelta(days=2)
Captured = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture
def invoice(customer: Customer, machine: Machine) -> Invoice:
    """13.00 EUR for October, issued on 3 November and due on 17 November."""
    customer.subscriptions.update(start=OCTOBER.start)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    a_member(customer, email="owner@tideline.example")
    return billing.close(customer, AT)[0]


def sent(number: int = -1) -> EmailMultiAlternatives:
    message = outbox.outbox[number]
    assert isinstance(message, EmailMultiAlternatives)
    return message


def test_a_final_invoice_is_mailed_with_its_pdf(invoice: Invoice) -> None:
    assert tasks.send_waiting_mail() == 1

    message = sent()
    assert message.to == ["owner@tideline.example"]
    assert message.subject == "Invoice CH-2026-0001 from Corehour Systems: €13.00"
    assert "Please pay by 17 November 2026." in message.body
    assert "http://localhost:8000/invoices/CH-2026-0001/" in message.body
    assert [(name, content[:5], kind) for name, content, kind in message.attachments] == [
        ("CH-2026-0001.pdf", b"%PDF-", "application/pdf")
    ]


def test_the_html_says_the_same_and_fetches_nothing(invoice: Invoice) -> None:
    tasks.send_waiting_mail()

    content, kind = sent().alternatives[0]
    html = str(content)
    assert kind == "text/html"
    assert "<strong>€13.00</strong>" in html
    assert html.count("http") == html.count('href="http://localhost:8000/invoices/CH-2026-0001/"') == 1
    assert "<img" not in html


def test_a_draft_is_not_mailed(customer: Customer, machine: Machine) -> None:
    a_member(customer)
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)

    billing.draft(customer, OCTOBER)

    assert not Mail.objects.exists()


def test_a_task_that_is_delivered_twice_sends_once(invoice: Invoice) -> None:
    occasion = f"invoice:{invoice.pk}:final"

    assert [tasks.send_mail(occasion), tasks.send_mail(occasion), tasks.send_waiting_mail()] == [1, 0, 0]
    assert len(outbox.outbox) == 1


def test_asking_twice_for_one_occasion_makes_one_mail(invoice: Invoice) -> None:
    mailing.finalised(invoice)

    assert Mail.objects.count() == 1


def test_the_task_is_queued_after_the_commit_and_not_before(
    invoice: Invoice, settings: Settings, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Captured
) -> None:
    settings.REDIS_URL = "redis://queue.example"
    queued: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks.send_mail, "apply_async", lambda args, kwargs, **how: queued.append(args))

    with django_capture_on_commit_callbacks() as callbacks:
        mailing.again(invoice)
    assert queued == []
    for callback in callbacks:
        callback()

    assert queued == [(f"invoice:{invoice.pk}:again:1",)]


def test_a_failure_is_kept_with_its_reason_and_tried_again(invoice: Invoice, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "tests.invoices.test_mailing.NoServer"
    assert tasks.send_waiting_mail() == 0
    mail = Mail.objects.get()
    assert (mail.state, mail.attempts, mail.problem) == ("waiting", 1, "OSError: no route to the mail server")
    assert mails.waiting(mail.next_at - timedelta(seconds=1)) == []

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mails.send(mail.pk, mailing.compose, mail.next_at)

    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.problem) == ("sent", 2, "")


def test_after_six_failures_it_is_given_up_until_a_person_asks(invoice: Invoice, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "tests.invoices.test_mailing.NoServer"
    mail = Mail.objects.get()
    moment = mail.next_at
    for _ in range(6):
        mails.send(mail.pk, mailing.compose, moment)
        mail.refresh_from_db()
        moment = mail.next_at
    assert (mail.state, mail.attempts) == ("failed", 6)
    assert mails.waiting(moment + timedelta(days=9)) == []

    mails.ask_again(mail)

    assert mails.waiting() == [mail.pk]


def test_whoever_dies_while_sending_leaves_a_claim_that_runs_out(invoice: Invoice) -> None:
    mail = Mail.objects.get()
    Mail.objects.update(state=Mail.State.SENDING, claimed_at=mail.next_at)

    assert mails.waiting(mail.next_at + timedelta(minutes=9)) == []
    assert mails.waiting(mail.next_at + timedelta(minutes=11)) == [mail.pk]


def test_billing_members_come_before_owners_and_the_address_for_invoices_before_both(customer: Customer) -> None:
    a_member(customer, email="owner@tideline.example")
    assert mails.contacts(customer) == ["owner@tideline.example"]

    a_member(customer, email="money@tideline.example", role="billing")
    a_member(customer, email="eye@tideline.example", role="viewer")
    assert mails.contacts(customer) == ["money@tideline.example"]

    customer.invoice_email = "invoices@tideline.example"
    assert mails.contacts(customer) == ["invoices@tideline.example"]


def test_a_payment_is_answered_with_a_receipt_once(invoice: Invoice) -> None:
    for _ in range(2):
        record_payment(invoice, 500, "bank-7", date(2026, 11, 4))

    tasks.send_waiting_mail()

    receipts = [one for one in outbox.outbox if "Payment received" in one.subject]
    assert [one.subject for one in receipts] == ["Payment received for invoice CH-2026-0001: €5.00"]
    assert "€8.00 are still to be paid." in receipts[0].body


def test_reminders_come_once_before_and_twice_after_the_day(invoice: Invoice) -> None:
    days = [utc(2026, 11, day, 12) for day in (13, 14, 17, 18, 19, 30)] + [utc(2026, 12, 1, 12)]

    asked = [mailing.remind(day) for day in days]

    assert asked == [0, 1, 0, 1, 0, 0, 1]
    occasions = Mail.objects.exclude(kind="invoice").order_by("pk").values_list("occasion", flat=True)
    assert [one.partition(":")[2].partition(":")[2] for one in occasions] == ["due", "overdue:1", "overdue:14"]


def test_a_reminder_is_dropped_when_the_money_came_in_the_meantime(invoice: Invoice) -> None:
    mailing.remind(utc(2026, 11, 18, 12))
    record_payment(invoice, 1300, "bank-7", date(2026, 11, 18))

    tasks.send_waiting_mail()

    assert Mail.objects.get(kind="overdue").state == "dropped"
    assert not any("overdue" in one.subject for one in outbox.outbox)


def test_mail_again_is_for_final_invoices_with_somebody_to_write_to(invoice: Invoice, customer: Customer) -> None:
    assert mailing.again(invoice) == ["owner@tideline.example"]
    assert mailing.again(invoice) == ["owner@tideline.example"]
    assert Mail.objects.count() == 3

    customer.memberships.all().delete()
    with pytest.raises(BillingError, match="no address for invoices"):
        mailing.again(Invoice.objects.get())
    with pytest.raises(BillingError, match="is a draft"):
        mailing.again(Invoice(state="draft", customer=customer, customer_name="Tideline", period_start=AT, timezone="UTC"))


class NoServer(BaseEmailBackend):
    """A mail server that cannot be reached."""

    def send_messages(self, messages: object) -> int:
        raise OSError("no route to the mail server")
