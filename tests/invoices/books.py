"""What tests of the books are made of: a final invoice in one call, and the sums that must always hold."""

from datetime import timedelta

from django.db.models import Sum

from accounts.models import Customer
from invoices import billing, ledger
from invoices.books import LedgerEntry
from invoices.issued import Invoice
from tests.invoices.rows import OCTOBER
from usage.periods import Period


def final(customer: Customer, period: Period = OCTOBER) -> Invoice:
    draft = billing.draft(customer, period)
    assert draft is not None
    billing.finalise(draft, period.end + timedelta(days=1))
    return Invoice.objects.with_settlement().get(pk=draft.pk)


def sums(customer: Customer) -> dict[str, int]:
    """Each account's balance that is not zero; together they are nothing."""
    found = {account: ledger.balance(customer, account) for account in LedgerEntry.Account.values}
    assert sum(found.values()) == 0
    return {account: amount for account, amount in found.items() if amount}


def owed(customer: Customer) -> int:
    """What the invoices say is still to be paid."""
    return sum(invoice.outstanding_minor for invoice in Invoice.objects.final().filter(customer=customer))


def moved(customer: Customer) -> int:
    return int(LedgerEntry.objects.filter(customer=customer).aggregate(total=Sum("amount_minor", default=0))["total"])
