"""The only writer of credit notes: a final invoice given back whole, by lines, or by an amount. The invoice itself stays.

Amounts of lines are as the invoice's lines are, discounts off: without tax, or with it where prices include it. A note's
tax is the difference of two running sums, so that notes for all of an invoice come to exactly its tax.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from django.db import transaction
from django.utils.timezone import now

from accounts.audit import record
from invoices import ledger
from invoices.books import CreditNote
from invoices.issued import Invoice
from invoices.money import amount_text, round_half_away, spread
from invoices.numbers import credit_note_number
from invoices.refusals import BillingError


@dataclass(frozen=True, slots=True)
class Left:
    """What of an invoice is not credited yet: of each line by position, of the net and of the tax."""

    lines: Mapping[int, int]
    net_minor: int
    tax_minor: int

    @property
    def gross_minor(self) -> int:
        """Net and tax."""
        return self.net_minor + self.tax_minor


@transaction.atomic
def credit_whole(invoice: Invoice, reason: str, by: str = "") -> CreditNote:
    """Give back all that is not credited yet."""
    current = _open(invoice, reason)
    left = left_of(current)
    return _write(current, left, dict(left.lines), (left.net_minor, left.tax_minor), reason, by)


@transaction.atomic
def credit_lines(invoice: Invoice, amounts_minor: Mapping[int, int | None], reason: str, by: str = "") -> CreditNote:
    """Give back lines by their positions, each whole (None) or in part. Raise BillingError where one has less left."""
    current = _open(invoice, reason)
    left = left_of(current)
    chosen = {}
    for position, amount in amounts_minor.items():
        rest = left.lines.get(position, 0)
        chosen[position] = rest if amount is None else amount
        if not 0 < chosen[position] <= rest:
            raise BillingError(f"Of line {position} {amount_text(rest, current.currency)} {current.currency} is left to credit.")
    total = sum(chosen.values())
    split = _of_gross(current, left, total) if current.tax_included else _of_net(current, left, total)
    return _write(current, left, chosen, split, reason, by)


@transaction.atomic
def credit_amount(invoice: Invoice, amount_minor: int, reason: str, by: str = "") -> CreditNote:
    """Give back an amount with its tax, spread over what is left of the lines."""
    current = _open(invoice, reason)
    left = left_of(current)
    if not 0 < amount_minor <= left.gross_minor:
        rest = amount_text(left.gross_minor, current.currency)
        raise BillingError(f"Of {current} {rest} {current.currency} is left to credit.")
    net, tax = _of_gross(current, left, amount_minor)
    parts = spread(amount_minor if current.tax_included else net, list(left.lines.values()))
    return _write(current, left, dict(zip(left.lines, parts, strict=True)), (net, tax), reason, by)


def left_of(invoice: Invoice) -> Left:
    """Return what of a final invoice is not credited yet."""
    lines = list(invoice.lines.order_by("position").values_list("position", "amount_minor"))
    off = spread(invoice.discount_minor, [amount for _, amount in lines])
    rest = Counter({position: amount - less for (position, amount), less in zip(lines, off, strict=True)})
    net, tax = invoice.gross_minor - invoice.tax_minor, invoice.tax_minor
    for note in invoice.credit_notes.all():
        net, tax = net - note.subtotal_minor, tax - note.tax_minor
        rest.subtract({line["position"]: line["amount_minor"] for line in note.lines})
    return Left(dict(rest), net, tax)


def _open(invoice: Invoice, reason: str) -> Invoice:
    """Return the invoice as it stands now, its customer held. Raise BillingError where it cannot be credited."""
    ledger.locked(invoice.customer)
    if not reason.strip():
        raise BillingError("Say why it is credited.")
    current = Invoice.objects.final().with_settlement().filter(pk=invoice.pk).first()
    if current is None:
        raise BillingError(f"{invoice} cannot be credited: it is not final, or void.")
    return current


def _of_net(invoice: Invoice, left: Left, net: int) -> tuple[int, int]:
    """Net and tax of a net amount."""
    if net == left.net_minor:
        return net, left.tax_minor
    before = invoice.gross_minor - invoice.tax_minor - left.net_minor
    return net, min(_tax_upto(invoice, before + net) - _tax_upto(invoice, before), left.tax_minor)


def _of_gross(invoice: Invoice, left: Left, gross: int) -> tuple[int, int]:
    """Net and tax of an amount with tax: as much tax as all amounts up to it hold together, less what is credited of it."""
    if gross == left.gross_minor:
        return left.net_minor, left.tax_minor
    upto = invoice.gross_minor - left.gross_minor + gross
    held = round_half_away(Fraction(upto * invoice.tax_minor, invoice.gross_minor))
    tax = max(0, min(held - (invoice.tax_minor - left.tax_minor), left.tax_minor, gross - 1))
    return gross - tax, tax


def _tax_upto(invoice: Invoice, net: int) -> int:
    whole = invoice.gross_minor - invoice.tax_minor
    return round_half_away(Fraction(net * invoice.tax_minor, whole)) if whole else 0


def _write(
    invoice: Invoice, left: Left, amounts: Mapping[int, int], net_and_tax: tuple[int, int], reason: str, by: str
) -> CreditNote:
    net, tax = net_and_tax
    if net + tax <= 0 or net + tax > left.gross_minor:
        raise BillingError(f"Nothing of {invoice} is left to credit.")
    issued_on = now().astimezone(invoice.customer.zone).date()
    names = dict(invoice.lines.values_list("position", "name"))
    note = CreditNote.objects.create(
        invoice=invoice,
        number=credit_note_number(issued_on),
        reason=reason.strip(),
        lines=[
            {"position": position, "name": names[position], "amount_minor": amount}
            for position, amount in amounts.items()
            if amount
        ],
        subtotal_minor=net,
        tax_minor=tax,
        total_minor=net + tax,
        to_wallet_minor=max(0, net + tax - max(0, invoice.outstanding_minor)),
        taxes=[{**charged, "base_minor": net, "tax_minor": tax} for charged in invoice.taxes],
        issued_on=issued_on,
        issued_by=by,
    )
    ledger.post_credit_note(note)
    about = {"number": note.number, "invoice": invoice.number, "total_minor": note.total_minor, "reason": note.reason}
    record("credit-note.issued", f"credit-note:{note.pk}", customer_pk=invoice.customer_id, after=about)
    return note
