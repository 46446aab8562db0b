"""Proves a final invoice: its seal, its sums, and each line from the quarter hours and, where kept, their samples. Reads only.

Usage that came after an invoice is no difference where later invoices have billed it as a correction, and is said.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from invoices.ahead import fees_ahead, month_after
from invoices.catalogue import contracts
from invoices.corrections import Billed, billed_since, billed_within, rated_again
from invoices.issued import Invoice, InvoiceLine
from invoices.money import amount_text, parse_exact, to_minor
from invoices.rating import Line
from invoices.seal import seal_of
from usage.meters import MS_PER_HOUR
from usage.models import Machine
from usage.periods import Period, to_ms
from usage.sums import differences

DAY_MS = 24 * MS_PER_HOUR
SELF_EVIDENT = frozenset({InvoiceLine.Kind.ONE_OFF})
BOOKED_LATER = frozenset({InvoiceLine.Kind.CORRECTION})


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is as it should be, and what was seen."""

    what: str
    equal: bool
    text: str


def verify(invoice: Invoice) -> Iterator[Finding]:
    """Yield a finding for the seal, the sums, each line of usage or fee, what was never billed, and the samples."""
    lines = list(invoice.lines.order_by("position"))
    yield _seal(invoice, lines)
    yield _sums(invoice, lines)
    yield from _lines(invoice, lines)
    yield _samples(invoice, lines)


def _seal(invoice: Invoice, lines: list[InvoiceLine]) -> Finding:
    if not invoice.content_hash:
        return Finding("seal", True, "none: it was finalised before invoices were sealed")
    found = seal_of(invoice, lines)
    return Finding("seal", found == invoice.content_hash, found if found == invoice.content_hash else f"now {found}")


def _sums(invoice: Invoice, lines: list[InvoiceLine]) -> Finding:
    """Lines give the subtotal; what stands below gives the total (the database holds it, too)."""
    wrong = []
    total = sum(line.amount_minor for line in lines)
    if total != invoice.subtotal_minor:
        wrong.append(f"the lines come to {amount_text(total, invoice.currency)}")
    if sum(discount["amount_minor"] for discount in invoice.discounts) != invoice.discount_minor:
        wrong.append("the discounts differ")
    if sum(tax["tax_minor"] for tax in invoice.taxes) != invoice.tax_minor:
        wrong.append("the taxes differ")
    return Finding("sums", not wrong, "; ".join(wrong) or f"{amount_text(invoice.total_minor, invoice.currency)} to be paid")


def _lines(invoice: Invoice, lines: list[InvoiceLine]) -> Iterator[Finding]:
    customer, period = invoice.customer, Period(invoice.period_start, invoice.period_end)
    billed = billed_within(billed_since(customer, period.start), period)
    agreed = contracts(customer, Period(period.start, month_after(customer, period).end))
    rated = rated_again(customer, invoice, agreed, billed)
    ahead = {line.charge_key: line for line in fees_ahead(customer, period, agreed)}
    for line in lines:
        if line.kind not in SELF_EVIDENT | BOOKED_LATER:
            yield _line(line, (rated | ahead).get(line.charge_key), billed.get(line.charge_key))
    known = {line.charge_key for line in lines} | set(billed)
    for key, owed in rated.items():
        if key not in known and owed.amount_minor:
            yield Finding(owed.name, False, f"never billed: {amount_text(owed.amount_minor, invoice.currency)}")


def _line(line: InvoiceLine, rated: Line | None, billed: Billed | None) -> Finding:
    """One line against the same charge rated from the quarter hours now."""
    currency = line.derivation.get("currency", line.invoice.currency)
    what = f"line {line.position} {line.name}"
    if to_minor(parse_exact(line.exact), currency) != line.amount_minor:
        return Finding(what, False, f"{line.exact} does not round to {amount_text(line.amount_minor, currency)}")
    amount, quantity = (rated.amount_minor, rated.quantity) if rated else (0, 0)
    text = f"{amount_text(amount, currency)} for {quantity} {line.base_unit}".rstrip()
    if (amount, quantity) == (line.amount_minor, line.quantity):
        return Finding(what, True, text)
    printed = f"{amount_text(line.amount_minor, currency)} for {line.quantity} {line.base_unit}".rstrip()
    if billed is not None and billed.amount_minor == amount:
        return Finding(what, True, f"{printed} and corrections up to {text}: {', '.join(dict.fromkeys(billed.invoices))}")
    return Finding(what, False, f"printed {printed}, the quarter hours say {text}")


def _samples(invoice: Invoice, lines: list[InvoiceLine]) -> Finding:
    """The quarter hours of the invoice's machines against their samples, or the sums that pruned ones left."""
    codes = {machine["code"] for line in lines for machine in line.derivation.get("machines", ())}
    first = to_ms(invoice.period_start) // DAY_MS * DAY_MS
    last = -(-to_ms(invoice.period_end) // DAY_MS) * DAY_MS
    found = [
        str(difference)
        for pk in Machine.objects.filter(customer=invoice.customer, code__in=codes).values_list("pk", flat=True)
        for difference in differences(pk, "default", first, last)
    ]
    return Finding("samples", not found, "; ".join(found[:3]) or f"agree with the quarter hours of {len(codes)} machines")


def final_invoice(number: str) -> Invoice | None:
    """Return the final invoice of a number, or None."""
    return Invoice.objects.filter(number=number, state=Invoice.State.FINALISED).select_related("customer").first()
