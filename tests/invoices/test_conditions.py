"""What stands below the lines: one-off items, discounts, tax, the wallet; and the last invoice of one who leaves."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.models import Customer
from invoices import billing, guards, ledger, publishing
from invoices.books import Discount, OneOffItem, TaxRate
from invoices.estimate import estimate
from invoices.issued import Invoice
from invoices.refusals import BillingError
from tests.cast import a_customer, a_machine
from tests.invoices.books import final, sums
from tests.invoices.rows import CPU, DECEMBER, FEE, HOUR_MS, LONG_AGO, NOVEMBER, OCTOBER, published, subscribed, used, utc
from tests.invoices.test_guards import refused
from usage.models import Machine

pytestmark = pytest.mark.django_db


def totals(invoice: Invoice) -> tuple[int, int, int, int, int]:
    return invoice.subtotal_minor, invoice.discount_minor, invoice.tax_minor, invoice.credit_minor, invoice.total_minor


@pytest.fixture
def germany(settings: Settings) -> None:
    settings.SELLER_COUNTRY = "DE"


@pytest.mark.usefixtures("germany")
def test_lines_then_discounts_then_tax_then_the_wallet(customer: Customer, machine: Machine) -> None:
    """13.00, less 10 % and 2.00, is 9.70; with 19 % 11.54; the wallet pays 5.00 of it."""
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    Discount.objects.create(customer=customer, position=1, name="Friends", share_micro=100_000, start=LONG_AGO)
    Discount.objects.create(customer=customer, position=2, name="Voucher", fixed_minor=200, start=LONG_AGO, end=NOVEMBER.start)
    ledger.top_up(customer, 500, "prepaid-1")

    live = estimate(customer, OCTOBER.end - timedelta(microseconds=1))
    october, november = final(customer), final(customer, NOVEMBER)

    assert totals(october) == (1300, 330, 184, 500, 654)
    assert live.total_minor == 654
    assert october.discounts == [{"name": "Friends", "amount_minor": 130}, {"name": "Voucher", "amount_minor": 200}]
    assert october.taxes == [
        {"name": "USt", "category": "S", "rate_micro": 190_000, "reason": "", "base_minor": 970, "tax_minor": 184}
    ]
    assert totals(november) == (900, 90, 154, 0, 964)
    assert sums(customer) == {"receivable": 654 + 964, "revenue": -970 - 810, "tax": -184 - 154, "cash": 500}


@pytest.mark.usefixtures("germany")
def test_prices_that_include_the_tax_leave_the_total(customer: Customer) -> None:
    Customer.objects.update(prices_include_tax=True)

    assert totals(final(customer)) == (900, 0, 144, 0, 900)


@pytest.mark.usefixtures("germany")
def test_a_business_in_another_country_owes_the_tax_itself(customer: Customer) -> None:
    Customer.objects.update(country="FR", tax_id="FR40303265045")

    invoice = final(customer)

    assert (totals(invoice), invoice.taxes[0]["category"]) == ((900, 0, 0, 0, 900), "AE")
    assert (invoice.seller_country, invoice.customer_country) == ("DE", "FR")


@pytest.mark.usefixtures("germany")
def test_a_new_tax_rate_holds_for_periods_that_end_after_it_begins(customer: Customer) -> None:
    TaxRate.objects.create(country="DE", name="USt", since=NOVEMBER.start.date() + timedelta(days=10), rate_micro=200_000)

    assert [final(customer, period).tax_minor for period in (OCTOBER, NOVEMBER)] == [171, 180]


def test_a_one_off_item_is_charged_once_on_the_next_invoice(customer: Customer) -> None:
    item = OneOffItem.objects.create(customer=customer, name="Migration", amount_minor=5000, at=utc(2026, 10, 20))
    OneOffItem.objects.create(customer=customer, name="Later", amount_minor=100, at=utc(2026, 11, 20))

    live = estimate(customer, utc(2026, 10, 25))
    october, november, december = final(customer), final(customer, NOVEMBER), final(customer, DECEMBER)

    assert (live.total_minor, [one.total_minor for one in (october, november, december)]) == (5900, [5900, 1000, 900])
    assert [(line.kind, line.name) for line in october.lines.all()][1] == ("one_off", "Migration")
    refused("UPDATE invoices_oneoffitem SET amount_minor = 1", guards.INVOICE_FROZEN)
    refused(f"DELETE FROM invoices_oneoffitem WHERE id = {item.pk}", guards.INVOICE_FROZEN)  # noqa: S608


def test_a_void_invoice_charges_its_one_off_items_anew(customer: Customer) -> None:
    OneOffItem.objects.create(customer=customer, name="Migration", amount_minor=5000, at=utc(2026, 10, 20))
    billing.void(final(customer), "Wrong address")

    assert final(customer).total_minor == 5900


def test_what_is_below_zero_is_carried_over_to_the_next_invoice(customer: Customer) -> None:
    """9.00 less 20.00 is 11.00 to the customer's good: nothing is paid, then 9.00 and 2.00 come off the next two."""
    OneOffItem.objects.create(customer=customer, name="Sorry", amount_minor=-2000, at=utc(2026, 10, 20))

    invoices = [final(customer, period) for period in (OCTOBER, NOVEMBER, DECEMBER)]

    assert [(one.gross_minor, one.credit_minor, one.total_minor) for one in invoices] == [
        (-1100, -1100, 0),
        (900, 900, 0),
        (900, 200, 700),
    ]
    assert sums(customer) == {"receivable": 700, "revenue": -700}
    with pytest.raises(ledger.LedgerError, match="it is spent"):
        billing.void(invoices[0], "Wrong address")


def test_a_discount_is_either_a_share_or_an_amount(customer: Customer) -> None:
    for bad in ({}, {"share_micro": 1, "fixed_minor": 1}, {"share_micro": 1_000_001}, {"fixed_minor": -1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Discount.objects.create(customer=customer, name="x", start=LONG_AGO, **bad)

    assert Discount.objects.create(customer=customer, name="x", start=LONG_AGO, share_micro=1).pk


@pytest.mark.parametrize(
    ("currency", "total_minor"),
    [("JPY", 9 + 5), ("EUR", 900 + 457), ("KWD", 9000 + 4574)],
)
def test_currencies_of_no_two_and_three_decimals(db: None, currency: str, total_minor: int) -> None:
    """9 and 114.35 hours at 0.04, which is 4.574."""
    customer = a_customer(currency=currency)
    subscribed(customer, published(FEE, CPU, currency=currency))
    used(a_machine(customer), OCTOBER.start, cpu_ms=411_660_000)

    assert final(customer).total_minor == total_minor


def test_who_leaves_gets_the_last_invoice_after_the_grace_period_and_not_at_the_months_end(
    customer: Customer, machine: Machine
) -> None:
    """Gone at midnight of 13 October in Berlin: 12 of 31 days of 9.00."""
    end = utc(2026, 10, 12, 22)
    customer.subscriptions.update(start=OCTOBER.start)
    publishing.leave(customer.subscriptions.get(), end)

    early = billing.draft(customer, OCTOBER)
    assert early is not None
    with pytest.raises(BillingError, match="runs until 2026-10-12 22:00"):
        billing.finalise(early, end - timedelta(minutes=1))
    drafted = billing.close(customer, end + timedelta(hours=1))
    last = billing.close(customer, end + timedelta(hours=24))

    assert [(one.state, one.total_minor) for one in drafted] == [("draft", 348)]
    assert [(one.state, one.total_minor, one.number) for one in last] == [("finalised", 348, "CH-2026-0001")]
    assert billing.close(customer, utc(2026, 12, 5)) == []


def test_numbers_may_run_on_over_the_years(customer: Customer, settings: Settings) -> None:
    settings.INVOICE_SERIES = "continuous"

    assert [final(customer, period).number for period in (OCTOBER, DECEMBER)] == ["CH-0001", "CH-0002"]
