"""Fees in advance from month to month: each once, on the invoice of the month before, and given back where they do not hold."""

from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from invoices import billing, publishing
from invoices.corrections import corrections
from invoices.estimate import estimate
from invoices.issued import Invoice
from invoices.verify import verify
from tests.cast import a_customer, a_machine
from tests.invoices.rows import CPU, DECEMBER, HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc
from usage.periods import Period

pytestmark = pytest.mark.django_db
FEE = {"name": "Base fee", "model": "flat", "unit_price": "9.00", "billed": "advance"}


@pytest.fixture
def customer(db: None) -> Customer:
    """Subscribed from 1 October on."""
    customer = a_customer()
    subscribed(customer, published(FEE, CPU), OCTOBER.start)
    return customer


def closed(customer: Customer, period: Period) -> list[tuple[str, str, int]]:
    """Finalise a month; kind, first day and amount of each of its lines, and all of it proven."""
    draft = billing.draft(customer, period)
    assert draft is not None
    invoice = billing.finalise(draft, period.end + timedelta(days=1))
    assert [finding for finding in verify(invoice) if not finding.equal] == []
    return [(line.kind, day(line.period_start), line.amount_minor) for line in invoice.lines.all()]


def day(instant: datetime) -> str:
    return f"{instant + timedelta(hours=2):%m-%d}"


def test_the_first_invoice_carries_two_fees_and_each_later_one_the_next(customer: Customer) -> None:
    live = estimate(customer, OCTOBER.end - timedelta(microseconds=1)).total_minor

    months = [closed(customer, period) for period in (OCTOBER, NOVEMBER)]

    assert months == [[("flat_fee", "10-01", 900), ("flat_fee", "11-01", 900)], [("flat_fee", "12-01", 900)]]
    assert live == 1800
    assert estimate(customer, DECEMBER.end - timedelta(microseconds=1)).total_minor == 900
    assert corrections(customer, DECEMBER) == []


def test_a_fee_in_arrears_stays_with_its_month(db: None) -> None:
    customer = a_customer()
    subscribed(customer, published({**FEE, "billed": "arrears"}), OCTOBER.start)

    assert closed(customer, OCTOBER) == [("flat_fee", "10-01", 900)]


def test_who_leaves_within_a_month_that_is_billed_gets_the_rest_back(customer: Customer) -> None:
    """20 of November's 30 days: 6.00 of 9.00. Nobody is billed for December."""
    closed(customer, OCTOBER)
    publishing.leave(customer.subscriptions.get(), utc(2026, 11, 10, 23))

    assert closed(customer, NOVEMBER) == [("proration_credit", "11-11", -600)]


def test_who_leaves_before_the_month_gets_all_of_it_back(customer: Customer) -> None:
    closed(customer, OCTOBER)
    publishing.leave(customer.subscriptions.get(), NOVEMBER.start)

    (line,) = closed(customer, NOVEMBER)

    assert line == ("correction", "11-01", -900)
    assert corrections(customer, DECEMBER) == []


def test_another_plan_within_the_month_is_credit_and_charge(customer: Customer) -> None:
    """From 11 November on 30.00 a month: 6.00 back, 20.00 for the rest, and December at the new fee."""
    closed(customer, OCTOBER)
    publishing.leave(customer.subscriptions.get(), utc(2026, 11, 10, 23))
    subscribed(customer, published({**FEE, "unit_price": "30"}, code="pro"), utc(2026, 11, 10, 23))

    assert closed(customer, NOVEMBER) == [
        ("proration_credit", "11-11", -600),
        ("flat_fee", "11-11", 2000),
        ("flat_fee", "12-01", 3000),
    ]


def test_a_void_invoice_takes_its_next_fee_with_it(customer: Customer) -> None:
    closed(customer, OCTOBER)
    billing.void(Invoice.objects.get(), "Wrong address")

    assert [line.amount_minor for line in estimate(customer, NOVEMBER.start).lines] == [900, 900]
    assert closed(customer, OCTOBER) == [("flat_fee", "10-01", 900), ("flat_fee", "11-01", 900)]
    assert closed(customer, NOVEMBER) == [("flat_fee", "12-01", 900)]


def test_late_usage_moves_no_fee(customer: Customer) -> None:
    machine = a_machine(customer)
    closed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    assert closed(customer, NOVEMBER) == [("flat_fee", "12-01", 900), ("correction", "10-01", 400)]


def test_a_plan_without_such_a_fee_asks_nothing_more_of_what_was_billed(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    customer = a_customer()
    subscribed(customer, published(CPU), OCTOBER.start)

    with django_assert_max_num_queries(20):
        assert estimate(customer, NOVEMBER.start).lines == ()
