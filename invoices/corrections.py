"""Late usage: a closed period is rated anew as a whole, at its own prices; what was not billed goes on the next invoice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from accounts.models import Customer
from invoices import display, line_names
from invoices.catalogue import contracts
from invoices.explain import instant_text
from invoices.gather import CurrencyError, check_currency, parts_of
from invoices.models import Invoice, InvoiceLine
from invoices.money import amount_text, from_minor, parse_exact, rounded_text
from invoices.parts import Contract, slices
from invoices.rating import Line, MachineUsage, Part, rate
from usage.periods import Period


@dataclass(slots=True)
class Billed:
    """What all final invoices together have charged for one price over one span; `line` is the first of them."""

    line: InvoiceLine
    amount_minor: int = 0
    quantity: int = 0
    invoices: list[str] = field(default_factory=list)


def corrections(
    customer: Customer, period: Period, closed_since: datetime | None = None, agreed: Sequence[Contract] | None = None
) -> list[Line]:
    """Return the correction lines that the invoice of `period` owes to periods closed before it (since an instant).

    What was billed is read once for all of them, usage once for each, and subscriptions unless the caller has them.
    """
    earlier = Invoice.objects.final().filter(customer=customer, period_end__lte=period.start).order_by("period_start")
    closed = list(earlier if closed_since is None else earlier.filter(period_end__gt=closed_since))
    if not closed:
        return []
    for invoice in closed:
        invoice.customer = customer
    if agreed is None:
        agreed = contracts(customer, Period(closed[0].period_start, closed[-1].period_end))
    billed = billed_since(customer, closed[0].period_start)
    return [line for invoice in closed for line in _corrections_of(customer, invoice, agreed, billed)]


def charged_elsewhere(customer: Customer, period: Period) -> list[InvoiceLine]:
    """Return the lines of other periods' final invoices that charge for spans of a period, in the order of their invoices."""
    others = Invoice.objects.final().filter(customer=customer).exclude(period_start__lt=period.end, period_end__gt=period.start)
    return ordered(InvoiceLine.objects.filter(invoice__in=others, period_start__gte=period.start, period_start__lt=period.end))


def charged_later(customer: Customer, period: Period, elsewhere: Sequence[InvoiceLine]) -> list[Line]:
    """Return lines that give back what later final invoices charged for a period as corrections.

    Only a period that is billed anew has them: its void invoice was corrected by later ones, which still hold.
    """
    later = [line for line in elsewhere if line.invoice.period_start >= period.end]
    entries = by_charge(line for line in later if line.kind == InvoiceLine.Kind.CORRECTION)
    as_billed = Invoice(
        customer=customer,
        period_start=period.start,
        period_end=period.end,
        timezone=customer.timezone,
        currency=customer.currency,
    )
    lines = []
    for entry in entries.values():
        if entry.line.invoice.currency != customer.currency:
            raise CurrencyError(f"{entry.line.invoice} has charged for {_name_of(as_billed)} in {entry.line.invoice.currency}.")
        line = difference(as_billed, None, entry)
        lines += [_taken_off(line, entry)] if line else []
    return lines


def period_name(period: Period, zone: ZoneInfo) -> str:
    """Return a period as people name it: "October 2026" for a month, else its first and last day."""
    first = period.start.astimezone(zone)
    last = (period.end - timedelta(microseconds=1)).astimezone(zone)
    if (first.day, (last + timedelta(days=1)).day) == (1, 1) and first.month == last.month:
        return f"{first:%B %Y}"
    return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}"


def _corrections_of(
    customer: Customer, invoice: Invoice, agreed: Sequence[Contract], all_billed: Mapping[str, Billed]
) -> Iterator[Line]:
    """Yield a line for each price whose rated amount differs from what was billed, corrections included."""
    billed = billed_within(all_billed, Period(invoice.period_start, invoice.period_end))
    rated = rated_again(customer, invoice, agreed, billed)
    for key in dict.fromkeys([*rated, *billed]):
        line = difference(invoice, rated.get(key), billed.get(key))
        if line is None:
            continue
        if invoice.currency != customer.currency:
            raise CurrencyError(
                f"{invoice} owes a correction in {invoice.currency}; {customer.code!r} is now billed in {customer.currency}."
            )
        yield line


def rated_again(
    customer: Customer, invoice: Invoice, agreed: Sequence[Contract], billed: Mapping[str, Billed]
) -> dict[str, Line]:
    """Return what the period of a closed invoice comes to with all usage known now, at its own prices, by charge."""
    period = Period(invoice.period_start, invoice.period_end)
    pieces = slices(agreed, period)
    check_currency(pieces, invoice.currency)
    parts = _as_billed(parts_of(customer, pieces), billed)
    return {line.charge_key: line for line in rate(parts, period, ZoneInfo(invoice.timezone))}


def billed_within(billed: Mapping[str, Billed], period: Period) -> dict[str, Billed]:
    """Return what was charged for spans that begin in a period."""
    return {key: entry for key, entry in billed.items() if period.start <= entry.line.period_start < period.end}


def billed_since(customer: Customer, since: datetime) -> Mapping[str, Billed]:
    """Return what was charged for each price over each span since an instant, by its own line and by later corrections."""
    final = Invoice.objects.final().filter(customer=customer)
    lines = InvoiceLine.objects.filter(invoice__in=final, period_start__gte=since)
    return by_charge(ordered(lines.exclude(kind=InvoiceLine.Kind.ONE_OFF)))  # Nobody rates those anew.


def ordered(lines: QuerySet[InvoiceLine]) -> list[InvoiceLine]:
    """Return lines with their invoices, in the order of these."""
    return list(lines.select_related("invoice").order_by("invoice__period_start", "invoice_id", "position"))


def by_charge(lines: Iterable[InvoiceLine]) -> dict[str, Billed]:
    """Return what lines have charged for each price over each span."""
    billed: dict[str, Billed] = {}
    for line in lines:
        entry = billed.setdefault(line.charge_key, Billed(line))
        entry.amount_minor += line.amount_minor
        entry.quantity += line.quantity
        entry.invoices.append(line.invoice.number or "")
    return billed


def _as_billed(parts: list[Part], billed: Mapping[str, Billed]) -> list[Part]:
    """Give each machine the class that it was billed by: moving it to another class later changes no closed period."""
    classes = {
        machine["code"]: machine["machine_class"]
        for entry in billed.values()
        for machine in entry.line.derivation.get("machines", ())
    }

    def then(machines: Sequence[MachineUsage]) -> list[MachineUsage]:
        return [replace(machine, machine_class=classes.get(machine.code, machine.machine_class)) for machine in machines]

    return [
        replace(part, usage=then(part.usage), earlier={window: then(usage) for window, usage in part.earlier.items()})
        for part in parts
    ]


def difference(invoice: Invoice, rated: Line | None, billed: Billed | None) -> Line | None:
    """Return what is still owed for one price, or None. Without a rated line all that was billed is given back."""
    base = rated or (_line_of(billed.line) if billed else None)
    charged_minor, charged_quantity = (billed.amount_minor, billed.quantity) if billed else (0, 0)
    owed_minor = (rated.amount_minor if rated else 0) - charged_minor
    if base is None or not owed_minor:
        return None
    quantity = (rated.quantity if rated else 0) - charged_quantity
    return replace(
        base,
        kind=InvoiceLine.Kind.CORRECTION.value,
        name=line_names.corrected(base, _spoken_name_of(invoice)),
        quantity=quantity,
        quantity_text=rounded_text(Fraction(quantity, base.derivation.get("per_unit", 1)), 3),
        exact=(rated.exact if rated else Fraction(0)) - from_minor(charged_minor, invoice.currency),
        amount_minor=owed_minor,
        derivation={**base.derivation, "correction": _explanation(invoice, rated, billed)},
    )


def _taken_off(line: Line, entry: Billed) -> Line:
    correction = {**line.derivation["correction"], "taken_off": True}
    return replace(
        line,
        name=line_names.taken_off(entry.line.name),
        derivation={**line.derivation, "correction": correction},
    )


def _explanation(invoice: Invoice, rated: Line | None, billed: Billed | None) -> dict[str, Any]:
    """What was billed by which invoices, and what the whole period comes to now."""
    return {
        "period": _name_of(invoice),
        "period_start": instant_text(invoice.period_start),
        "period_end": instant_text(invoice.period_end),
        "invoices": billed.invoices if billed else [],
        "billed": amount_text(billed.amount_minor if billed else 0, invoice.currency),
        "billed_quantity": billed.quantity if billed else 0,
        "rated": amount_text(rated.amount_minor if rated else 0, invoice.currency),
        "rated_quantity": rated.quantity if rated else 0,
    }


def _name_of(invoice: Invoice) -> str:
    return period_name(Period(invoice.period_start, invoice.period_end), ZoneInfo(invoice.timezone))


def _spoken_name_of(invoice: Invoice) -> str:
    return display.period(Period(invoice.period_start, invoice.period_end), ZoneInfo(invoice.timezone), invoice.customer.locale)


def _line_of(row: InvoiceLine) -> Line:
    """A stored line as the rater would have given it."""
    return Line(
        kind=row.kind,
        name=row.name,
        charge_key=row.charge_key,
        plan_code=row.plan_code,
        plan_name=row.plan_name,
        plan_version=row.plan_version,
        span=Period(row.period_start, row.period_end),
        meter=row.meter,
        unit=row.unit,
        base_unit=row.base_unit,
        quantity=row.quantity,
        quantity_text=row.quantity_text,
        exact=parse_exact(row.exact),
        amount_minor=row.amount_minor,
        derivation=row.derivation,
    )
