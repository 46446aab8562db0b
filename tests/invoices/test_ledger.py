"""The ledger: every movement on two accounts, their sum always zero, the wallet never below it."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Customer
from invoices import billing, credit_notes, guards, ledger, payments
from invoices.books import LedgerEntry
from invoices.ledger import LedgerError
from tests.invoices.books import final, owed, sums
from tests.invoices.rows import DECEMBER, NOVEMBER
from tests.invoices.test_guards import refused

pytestmark = pytest.mark.django_db


def test_an_invoice_its_payment_and_a_credit_note_are_booked_on_two_accounts_each(customer: Customer) -> None:
    """9.00 billed, 4.00 paid, then all of it credited: 5.00 is no longer owed, and the 4.00 lie in the wallet."""
    invoice = final(customer)
    assert sums(customer) == {"receivable": 900, "revenue": -900}

    payments.record_payment(invoice, 400, "bank-1", date(2026, 11, 9))
    assert sums(customer) == {"cash": 400, "receivable": 500, "revenue": -900}

    credit_notes.credit_whole(invoice, "Outage")
    assert sums(customer) == {"cash": 400, "wallet": -400}
    assert owed(customer) == 0


def test_the_wallet_pays_the_next_invoices_until_it_is_empty(customer: Customer) -> None:
    ledger.top_up(customer, 1000, "prepaid-1")

    october, november, december = final(customer), final(customer, NOVEMBER), final(customer, DECEMBER)

    assert [(one.gross_minor, one.credit_minor, one.total_minor) for one in (october, november, december)] == [
        (900, 900, 0),
        (900, 100, 800),
        (900, 0, 900),
    ]
    assert (october.status, ledger.wallet_minor(customer), owed(customer)) == ("paid", 0, 1700)
    assert sums(customer) == {"cash": 1000, "receivable": 1700, "revenue": -2700}


def test_a_reference_counts_once(customer: Customer) -> None:
    first = ledger.top_up(customer, 1000, "prepaid-1")

    assert ledger.top_up(customer, 1000, "prepaid-1") == first
    with pytest.raises(LedgerError, match="'prepaid-1' is recorded with 10.00"):
        ledger.top_up(customer, 1001, "prepaid-1")
    assert ledger.wallet_minor(customer) == 1000


def test_only_what_the_wallet_holds_is_paid_back(customer: Customer) -> None:
    ledger.grant(customer, 500, "sorry-1", note="Outage of 3 October")

    with pytest.raises(LedgerError, match="holds 5.00 EUR"):
        ledger.pay_back(customer, 501, "back-1")
    ledger.pay_back(customer, 500, "back-1")
    ledger.pay_back(customer, 500, "back-1")

    assert sums(customer) == {"goodwill": 500, "cash": -500}


@pytest.mark.parametrize(("amount_minor", "reference"), [(0, "x"), (-5, "x"), (5, " ")])
def test_nothing_and_nameless_money_is_refused(customer: Customer, amount_minor: int, reference: str) -> None:
    with pytest.raises(LedgerError):
        ledger.top_up(customer, amount_minor, reference)


def test_a_void_invoice_gives_the_wallet_back_what_it_paid(customer: Customer) -> None:
    ledger.top_up(customer, 1000, "prepaid-1")
    invoice = final(customer)

    billing.void(invoice, "Wrong address")

    assert sums(customer) == {"cash": 1000, "wallet": -1000}
    assert final(customer).credit_minor == 900


def test_the_database_refuses_to_change_the_ledger_or_to_overdraw_a_wallet(customer: Customer) -> None:
    ledger.top_up(customer, 100, "prepaid-1")
    entry = {"customer": customer, "currency": "EUR", "debit": "wallet", "credit": "cash", "kind": "refund", "reference": "x"}

    refused("UPDATE invoices_ledgerentry SET amount_minor = 1", guards.APPEND_ONLY)
    refused("DELETE FROM invoices_ledgerentry", guards.APPEND_ONLY)
    with pytest.raises(IntegrityError, match="does not hold that much"), transaction.atomic():
        LedgerEntry.objects.create(amount_minor=101, **entry)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.create(amount_minor=0, **entry)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.create(amount_minor=1, **entry | {"credit": "wallet"})
    LedgerEntry.objects.create(amount_minor=100, **entry)

    assert ledger.wallet_minor(customer) == 0
