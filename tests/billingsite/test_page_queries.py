"""A page asks the database as often for a large business as for a small one: no page has a query for each row."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.models import Customer
from benchmarks.pages import ADMIN, PORTAL
from invoices import billing
from tests.cast import a_bucket, a_customer, a_machine, a_member, an_operator, signed_in
from tests.invoices.rows import CPU, FEE, published, subscribed
from usage.periods import Period, month_of

pytestmark = pytest.mark.django_db
MONTHS = 3


@pytest.fixture
def acme() -> Customer:
    made = a_customer()
    subscribed(made, published(FEE, CPU))
    grown(made, 1)
    billed(made, slice(1, None))  # The months that late usage could still change.
    return made


def months(customer: Customer) -> list[Period]:
    """The running month and some before, the oldest first."""
    found = [month_of(now(), customer.zone)]
    for _ in range(MONTHS):
        found.insert(0, month_of(found[0].start - timedelta(days=1), customer.zone))
    return found


def grown(customer: Customer, machines: int) -> None:
    """More machines, each with usage in every month."""
    for _ in range(machines):
        machine = a_machine(customer, f"m-{customer.machines.count()}", cores=4)
        for month in months(customer):
            a_bucket(machine, month.start_ms)


def billed(customer: Customer, which: slice) -> None:
    """An invoice for some of the months that are over."""
    for month in months(customer)[:-1][which]:
        draft = billing.draft(customer, month)
        assert draft is not None
        billing.finalise(draft)


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(address)
    assert answer.status_code == 200
    return len(caught)


@pytest.mark.parametrize("page", [*PORTAL, *ADMIN])
def test_a_larger_business_costs_no_more_queries(acme: Customer, page: str) -> None:
    client = signed_in(an_operator() if page.startswith("/admin/") else a_member(acme))
    newest = acme.invoices.exclude(number=None).first()
    assert newest is not None
    address = page.format(machine="m-0", invoice=newest.number)
    small = queries(client, address)

    grown(acme, 4)
    billed(acme, slice(1))
    large = queries(client, address)

    assert large <= small
