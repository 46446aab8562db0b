"""What turns the lines of a period into an invoice's total: one-off items, discounts, tax and the wallet, as they stand now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from django.conf import settings
from django.db.models import F, Q

from accounts.models import Customer
from invoices.books import MILLION, Discount, OneOffItem, TaxRate
from invoices.issued import Invoice, InvoiceLine
from invoices.ledger import wallet_minor
from invoices.money import from_minor
from invoices.rating import Line
from invoices.settlement import DiscountTerms
from invoices.tax import Rate, Tax, tax_of
from usage.periods import Period

ITEM_KEY = "one-off/"


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a customer's lines are settled."""

    discounts: tuple[DiscountTerms, ...] = ()
    tax: Tax | None = None
    tax_included: bool = False
    wallet_minor: int = 0


def conditions_of(customer: Customer, period: Period) -> Conditions:
    """Return a customer's discounts, tax and wallet for an invoice of a period, whose last day decides the tax rate."""
    last_day = (period.end - timedelta(microseconds=1)).astimezone(customer.zone).date()
    seller, buyer = settings.SELLER_COUNTRY, customer.country
    rates = [
        Rate(row.country, row.since, row.name, row.rate_micro)
        for row in (TaxRate.objects.filter(country__in=(seller, buyer)) if seller else ())
    ]
    return Conditions(
        discounts=tuple(_discounts(customer, period.start)),
        tax=tax_of(seller, buyer, customer.tax_id, rates, last_day),
        tax_included=customer.prices_include_tax,
        wallet_minor=wallet_minor(customer),
    )


def one_off_lines(customer: Customer, period: Period) -> list[Line]:
    """Return a line for each item due by the period's end that no final invoice has charged."""
    items = OneOffItem.objects.filter(customer=customer, at__lt=period.end)
    charged = InvoiceLine.objects.filter(
        kind=InvoiceLine.Kind.ONE_OFF, invoice__in=Invoice.objects.final().filter(customer=customer)
    ).values_list("charge_key", flat=True)
    taken = set(charged) if items else set()
    return [_item_line(item, period) for item in items if f"{ITEM_KEY}{item.pk}" not in taken]


def _discounts(customer: Customer, start: datetime) -> Sequence[DiscountTerms]:
    found = Discount.objects.filter(Q(end__isnull=True) | Q(end__gt=start), customer=customer, start__lte=start)
    return [
        DiscountTerms(row.name, None if row.share_micro is None else Fraction(row.share_micro, MILLION), row.fixed_minor or 0)
        for row in found.order_by(F("position"), F("pk"))
    ]


def _item_line(item: OneOffItem, period: Period) -> Line:
    return Line(
        kind=InvoiceLine.Kind.ONE_OFF.value,
        name=item.name,
        charge_key=f"{ITEM_KEY}{item.pk}",
        plan_code="",
        plan_name="",
        plan_version=0,
        span=period,
        meter="",
        unit="",
        base_unit="",
        quantity=0,
        quantity_text="",
        exact=from_minor(item.amount_minor, item.customer.currency),
        amount_minor=item.amount_minor,
        derivation={},
    )
