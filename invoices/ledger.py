"""The only writer of the ledger. Each entry moves an amount from one account to another, so their sum is always zero.

What a customer still owes is the account `receivable`; what is prepaid or given as credit is the `wallet`, which pays the
next invoices and is never below zero. Every movement has a reference, and the same one counts once.
"""

from collections.abc import Iterable, Iterator

from django.db import transaction
from django.db.models import Case, F, Sum, Value, When

from accounts.models import Customer
from invoices.books import CreditNote, LedgerEntry
from invoices.issued import Invoice, Payment
from invoices.money import amount_text

Account, Kind = LedgerEntry.Account, LedgerEntry.Kind


class LedgerError(ValueError):
    """Why money cannot be moved, as a sentence for the operator."""


def locked(customer: Customer) -> Customer:
    """Return the customer as it is now, its row held to the end of the transaction: nobody else bills or books meanwhile."""
    return Customer.objects.select_for_update().get(pk=customer.pk)


def balance(customer: Customer, account: str, currency: str | None = None) -> int:
    """Return debits less credits of an account. What is owed is above zero, what is prepaid below."""
    entries = LedgerEntry.objects.filter(customer=customer, currency=currency or customer.currency)
    debits = Sum(Case(When(debit=account, then=F("amount_minor")), default=Value(0)), default=0)
    credits = Sum(Case(When(credit=account, then=F("amount_minor")), default=Value(0)), default=0)
    sums = entries.aggregate(debits=debits, credits=credits)
    return int(sums["debits"]) - int(sums["credits"])


def wallet_minor(customer: Customer, currency: str | None = None) -> int:
    """Return what is prepaid or credited and not used yet."""
    return -balance(customer, Account.WALLET, currency)


@transaction.atomic
def top_up(customer: Customer, amount_minor: int, reference: str, by: str = "", note: str = "") -> LedgerEntry:
    """Record money that a customer paid in advance."""
    return _once(customer, (Account.CASH, Account.WALLET), amount_minor, Kind.TOP_UP, reference, by, note)


@transaction.atomic
def grant(customer: Customer, amount_minor: int, reference: str, by: str = "", note: str = "") -> LedgerEntry:
    """Give a customer a credit, which pays the next invoices."""
    return _once(customer, (Account.GOODWILL, Account.WALLET), amount_minor, Kind.GRANT, reference, by, note)


@transaction.atomic
def pay_back(customer: Customer, amount_minor: int, reference: str, by: str = "", note: str = "") -> LedgerEntry:
    """Record money of the wallet that went back to the customer. Raise LedgerError where it holds less."""
    customer = locked(customer)
    known = LedgerEntry.objects.filter(customer=customer, kind=Kind.REFUND, reference=reference).exists()
    held = wallet_minor(customer)
    if not known and amount_minor > held:
        raise LedgerError(f"The wallet of {customer} holds {amount_text(held, customer.currency)} {customer.currency}.")
    return _once(customer, (Account.WALLET, Account.CASH), amount_minor, Kind.REFUND, reference, by, note)


def post_invoice(invoice: Invoice) -> None:
    """Book a final invoice: what is owed, revenue and tax, and what the wallet paid or took over."""
    LedgerEntry.objects.bulk_create(_of_invoice(invoice, Kind.INVOICE, 1))


def post_void(invoice: Invoice, by: str = "") -> None:
    """Take back what a final invoice has booked. Raise LedgerError where the wallet has spent what it took over."""
    held = wallet_minor(invoice.customer, invoice.currency)
    if held < -invoice.credit_minor:
        raise LedgerError(
            f"{invoice} has put {amount_text(-invoice.credit_minor, invoice.currency)} into the wallet; it is spent."
        )
    LedgerEntry.objects.bulk_create(_of_invoice(invoice, Kind.VOID, -1, by))


def post_payment(payment: Payment) -> None:
    """Book money received for an invoice, or with a negative amount money that went back."""
    invoice = payment.invoice
    reference = f"{invoice.number}/{payment.reference}"
    legs = [(Account.CASH, Account.RECEIVABLE, payment.amount_minor)]
    LedgerEntry.objects.bulk_create(_entries(invoice, legs, Kind.PAYMENT, reference, payment.recorded_by))


def post_credit_note(note: CreditNote) -> None:
    """Book what is given back: less revenue, less tax, less owed; what was paid already goes to the wallet."""
    legs = [
        (Account.REVENUE, Account.RECEIVABLE, note.subtotal_minor),
        (Account.TAX, Account.RECEIVABLE, note.tax_minor),
        (Account.RECEIVABLE, Account.WALLET, note.to_wallet_minor),
    ]
    LedgerEntry.objects.bulk_create(_entries(note.invoice, legs, Kind.CREDIT_NOTE, note.number, note.issued_by))


def _of_invoice(invoice: Invoice, kind: str, sign: int, by: str = "") -> Iterator[LedgerEntry]:
    legs = [
        (Account.RECEIVABLE, Account.REVENUE, sign * (invoice.gross_minor - invoice.tax_minor)),
        (Account.RECEIVABLE, Account.TAX, sign * invoice.tax_minor),
        (Account.WALLET, Account.RECEIVABLE, sign * invoice.credit_minor),
    ]
    return _entries(invoice, legs, kind, invoice.number or "", by)


def _entries(
    invoice: Invoice, legs: Iterable[tuple[str, str, int]], kind: str, reference: str, by: str = ""
) -> Iterator[LedgerEntry]:
    """One entry a leg (debit, credit, amount). A negative amount goes the other way, and nothing is not booked."""
    for debit, credit, amount_minor in legs:
        if amount_minor:
            to, source = (debit, credit) if amount_minor > 0 else (credit, debit)
            yield LedgerEntry(
                customer=invoice.customer, currency=invoice.currency, debit=to, credit=source, amount_minor=abs(amount_minor),
                kind=kind, reference=reference, by=by,
            )  # fmt: skip


def _once(
    customer: Customer, accounts: tuple[str, str], amount_minor: int, kind: str, reference: str, by: str, note: str
) -> LedgerEntry:
    customer = locked(customer)
    if amount_minor <= 0:
        raise LedgerError("The amount must be above zero.")
    if not reference.strip():
        raise LedgerError("Give a reference; the same one counts once.")
    known = LedgerEntry.objects.filter(customer=customer, kind=kind, reference=reference).first()
    if known is None:
        return LedgerEntry.objects.create(
            customer=customer, currency=customer.currency, debit=accounts[0], credit=accounts[1], amount_minor=amount_minor,
            kind=kind, reference=reference, by=by, note=note,
        )  # fmt: skip
    if known.amount_minor != amount_minor:
        raise LedgerError(f"{reference!r} is recorded with {amount_text(known.amount_minor, known.currency)}.")
    return known
