"""When a subscription may start, end and move: never in what a final invoice has billed."""

from datetime import timedelta

import pytest

from accounts.models import Customer
from invoices import billing, publishing
from invoices.publishing import PlanError
from tests.invoices.rows import CPU, LONG_AGO, OCTOBER, published, subscribed, utc

pytestmark = pytest.mark.django_db
BILLED = "CH-2026-0001 has billed Tideline Cartography up to 2026-10-31 23:00 UTC"
QUARTER = timedelta(minutes=15)


@pytest.fixture
def billed(customer: Customer) -> Customer:
    """October in Berlin is final."""
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    billing.finalise(draft, OCTOBER.end + timedelta(days=1))
    return customer


def test_a_subscription_starts_at_the_earliest_where_the_last_final_invoice_ends(billed: Customer) -> None:
    other = published(CPU, code="other")

    with pytest.raises(PlanError, match=BILLED):
        subscribed(billed, other, OCTOBER.end - QUARTER)

    assert subscribed(billed, other, OCTOBER.end).pk


def test_a_subscription_ends_at_the_earliest_where_the_last_final_invoice_ends(billed: Customer) -> None:
    subscription = billed.subscriptions.get()

    with pytest.raises(PlanError, match=BILLED):
        publishing.leave(subscription, OCTOBER.end - QUARTER)

    publishing.leave(subscription, OCTOBER.end)
    assert billed.subscriptions.get().end == OCTOBER.end


def test_an_end_in_billed_time_stays_where_it_is(customer: Customer) -> None:
    """Left on 12 October, billed for the month: to go on from there would bill the rest of October."""
    subscription = publishing.leave(customer.subscriptions.get(), utc(2026, 10, 12))
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    billing.finalise(draft, OCTOBER.end + timedelta(days=1))

    with pytest.raises(PlanError, match=BILLED):
        publishing.leave(subscription, OCTOBER.end + QUARTER)

    assert publishing.leave(customer.subscriptions.get(), utc(2026, 10, 12)).end == utc(2026, 10, 12)


def test_neither_a_draft_nor_a_void_invoice_holds_a_subscription(billed: Customer) -> None:
    billing.void(billed.invoices.get(), "Wrong plan")
    assert billing.draft(billed, OCTOBER) is not None

    assert publishing.leave(billed.subscriptions.get(), utc(2026, 10, 12)).start == LONG_AGO
