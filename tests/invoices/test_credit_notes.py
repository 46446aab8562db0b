"""Credit notes: whole, by lines, by an amount; with tax to the cent, never more than was billed."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.models import Customer
from invoices import billing, credit_notes, guards, ledger, payments
from invoices.books import CreditNote
from invoices.issued import Invoice
from invoices.refusals import BillingError
from tests.invoices.books import final, owed, sums
from tests.invoices.rows import HOUR_MS, OCTOBER, used
from tests.invoices.test_guards import refused
from usage.models import Machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(customer: Customer, machine: Machine, settings: Settings) -> Invoice:
    """9.00 and 100 core-hours for 4.00, with 19 % tax: 13.00 + 2.47 = 15.47."""
    settings.SELLER_COUNTRY = "DE"
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    return final(customer)


def amounts(note: CreditNote) -> tuple[int, int, int]:
    return note.subtotal_minor, note.tax_minor, note.total_minor


def test_a_whole_invoice_is_given_back_with_its_tax(invoice: Invoice, customer: Customer) -> None:
    note = credit_notes.credit_whole(invoice, "Outage", by="otto@corehour.example")

    assert (note.number[:3], amounts(note), note.to_wallet_minor) == ("CN-", (1300, 247, 1547), 0)
    assert note.lines == [
        {"position": 1, "name": "Base fee", "amount_minor": 900},
        {"position": 2, "name": "CPU", "amount_minor": 400},
    ]
    assert Invoice.objects.get().status == "credited"
    assert (sums(customer), owed(customer)) == ({}, 0)
    with pytest.raises(BillingError, match="is left to credit"):
        credit_notes.credit_whole(invoice, "Again")


def test_lines_are_given_back_in_parts_and_no_further(invoice: Invoice) -> None:
    """1.01 + 2.99 of CPU: tax 0.19 and 0.57 are the 0.76 of 4.00."""
    first = credit_notes.credit_lines(invoice, {2: 101}, "Too slow")
    second = credit_notes.credit_lines(invoice, {2: None}, "The rest")

    assert (amounts(first), amounts(second)) == ((101, 19, 120), (299, 57, 356))
    with pytest.raises(BillingError, match="Of line 2 0.00 EUR is left"):
        credit_notes.credit_lines(invoice, {2: 1}, "More")
    with pytest.raises(BillingError, match="Of line 9 0.00 EUR is left"):
        credit_notes.credit_lines(invoice, {9: None}, "No such line")


def test_an_amount_is_spread_over_the_lines_and_the_rest_is_exact(invoice: Invoice) -> None:
    """5.00 hold 0.80 of tax; what follows holds the other 1.67."""
    part = credit_notes.credit_amount(invoice, 500, "Goodwill")
    rest = credit_notes.credit_whole(invoice, "All of it after all")

    assert (amounts(part), [line["amount_minor"] for line in part.lines]) == ((420, 80, 500), [291, 129])
    assert amounts(rest) == (880, 167, 1047)


def test_many_small_amounts_hold_the_tax_of_their_sum(invoice: Invoice) -> None:
    """0.02 hold 0.003 of tax, 0.04 hold 0.006, 0.06 hold 0.0096: the cent is in the second one, and the rest stays right."""
    small = [credit_notes.credit_amount(invoice, 2, "Goodwill") for _ in range(3)]
    rest = credit_notes.credit_whole(invoice, "All of it after all")

    assert [amounts(note) for note in small] == [(2, 0, 2), (1, 1, 2), (2, 0, 2)]
    assert amounts(rest) == (1295, 246, 1541)


def test_what_was_paid_already_goes_to_the_wallet(invoice: Invoice, customer: Customer) -> None:
    payments.record_payment(invoice, 1000, "bank-1", date(2026, 11, 9))

    note = credit_notes.credit_whole(invoice, "Outage")

    assert (note.to_wallet_minor, ledger.wallet_minor(customer), owed(customer)) == (1000, 1000, 0)
    assert Invoice.objects.get().status == "paid"
    with pytest.raises(BillingError, match="0.00 EUR is due"):
        payments.record_payment(invoice, 547, "bank-2", date(2026, 11, 9))


def test_prices_with_tax_are_given_back_with_tax(customer: Customer, settings: Settings) -> None:
    """The fee of 9.00 holds 1.44 of tax."""
    settings.SELLER_COUNTRY = "DE"
    Customer.objects.update(prices_include_tax=True)
    invoice = final(customer)

    assert (invoice.total_minor, invoice.tax_minor, invoice.tax_included) == (900, 144, True)
    assert amounts(credit_notes.credit_lines(invoice, {1: 450}, "Half")) == (378, 72, 450)


def test_neither_a_draft_nor_a_void_invoice_is_credited_and_a_credited_one_not_voided(customer: Customer) -> None:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    with pytest.raises(BillingError, match="not final, or void"):
        credit_notes.credit_whole(draft, "Outage")
    invoice = final(customer)
    with pytest.raises(BillingError, match="Say why"):
        credit_notes.credit_whole(invoice, " ")
    credit_notes.credit_amount(invoice, 100, "Outage")

    with pytest.raises(BillingError, match="has credit notes"):
        billing.void(invoice, "Wrong address")


def test_the_database_refuses_to_change_a_note_or_to_credit_more_than_was_billed(invoice: Invoice) -> None:
    note = credit_notes.credit_amount(invoice, 500, "Goodwill")

    refused("UPDATE invoices_creditnote SET total_minor = 1, subtotal_minor = 1, tax_minor = 0", guards.APPEND_ONLY)
    refused("DELETE FROM invoices_creditnote", guards.APPEND_ONLY)
    note.pk, note.number = None, "CN-X"
    note.subtotal_minor, note.tax_minor, note.total_minor = 1048, 0, 1048
    with pytest.raises(IntegrityError, match="No more is credited than was billed"), transaction.atomic():
        note.save(force_insert=True)
    note.subtotal_minor = note.total_minor = 1047
    note.save(force_insert=True)

    assert CreditNote.objects.count() == 2


def test_credit_notes_have_numbers_of_their_own(invoice: Invoice) -> None:
    first, second = (credit_notes.credit_amount(invoice, 100, "Goodwill") for _ in range(2))

    year = first.issued_on.year
    assert [first.number, second.number, invoice.number] == [f"CN-{year}-0001", f"CN-{year}-0002", "CH-2026-0001"]
