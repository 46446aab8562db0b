"""Fees billed in advance: a month's invoice carries the next month's, and leaves out what the one before has charged for it.

What an earlier invoice charged is found by its charge, as a correction's is. Where it still holds nothing is printed again;
where it does not, the difference is a line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from accounts.models import Customer
from invoices.corrections import billed_since, by_charge, difference
from invoices.gather import check_currency
from invoices.issued import Invoice, InvoiceLine
from invoices.parts import Contract, Slice, slices
from invoices.rating import Line, Part, rate
from invoices.terms import PriceTerms
from usage.periods import Period, month_of

A_DAY = timedelta(days=1)


def month_after(customer: Customer, period: Period) -> Period:
    """Return the month that follows a period, in the customer's zone as it is now."""
    return Period(period.end, month_of(period.end + A_DAY, customer.zone).end)


def next_fees(customer: Customer, period: Period, agreed: Sequence[Contract]) -> list[Line]:
    """Return the fees in advance of the month after a period, as far as they are agreed now and not billed yet."""
    lines = fees_ahead(customer, period, agreed)
    billed = billed_since(customer, period.end) if lines else {}
    return [line for line in lines if line.charge_key not in billed]


def fees_ahead(customer: Customer, period: Period, agreed: Sequence[Contract]) -> list[Line]:
    """Return the same, billed or not. A subscription that begins within that month is billed by that month's invoice."""
    following = month_after(customer, period)
    pieces = [piece for piece in slices(agreed, following) if piece.since < following.start]
    pieces = [piece for piece in pieces if any(map(_in_advance, piece.version.prices))]
    check_currency(pieces, customer.currency)
    return rate([_fees_alone(piece) for piece in pieces], following, customer.zone)


def less_billed(customer: Customer, period: Period, lines: Sequence[Line], elsewhere: Sequence[InvoiceLine]) -> Iterator[Line]:
    """Yield a period's own lines without what earlier invoices charged for it, and what of that no longer holds."""
    billed = by_charge(line for line in elsewhere if line.invoice.period_end <= period.start)
    own = {line.charge_key: line for line in lines}
    yield from (line for line in lines if line.charge_key not in billed)
    as_billed = Invoice(
        customer=customer,
        period_start=period.start,
        period_end=period.end,
        timezone=customer.timezone,
        currency=customer.currency,
    )
    for key, entry in billed.items():
        line = difference(as_billed, own.get(key), entry)
        if line is not None:
            yield line


def _in_advance(price: PriceTerms) -> bool:
    return price.in_advance


def _fees_alone(piece: Slice) -> Part:
    """A slice with nothing to rate but its fees in advance."""
    prices = tuple(replace(price, minimum=price.minimum * 0) for price in piece.version.prices if price.in_advance)
    return Part(piece.span, replace(piece.version, prices=prices, commitment=piece.version.commitment * 0), ())
