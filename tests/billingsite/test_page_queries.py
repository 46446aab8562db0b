"""A page asks the database as often for a large business as for a small one: no page has a query for each row."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.models import Customer
from benchmarks.addresses import ADMIN, PORTAL
from invoices import billing
from tests.cast import a_bucket, a_customer, a_machine, a_member, an_operator, signed_in
from tests.invoices.rows import CPU, FEE, published, subscribed
from usage.models import RejectedMessage
from usage.periods import Period, month_of

pytestmark = pytest.mark.django_db
MONTHS = 3
MOST = 40  # Queries that any page may need.
# Written by people, a handful in any business.
SMALL_LISTS = (
    "/admin/auth/group/",
    "/admin/invoices/discount/",
    "/admin/invoices/oneoffitem/",
    "/admin/invoices/price/",
    "/admin/invoices/taxrate/",
    "/admin/usage/unsignedpermission/",
)


@pytest.fixture
def acme() -> Customer:
    made = a_customer()
    subscribed(made, published(FEE, CPU))
    grown(made, 1)
    billed(made, slice(1, None))  # The months that late usage could still change.
    rejected(1)
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


def rejected(count: int) -> None:
    RejectedMessage.objects.bulk_create(
        RejectedMessage(
            topic="t", topic_id="t", partition=0, offset=number, timestamp_ms=0, key=b"", value=b"", reason="not_json"
        )
        for number in range(RejectedMessage.objects.count(), count)
    )


def named(page: str, acme: Customer) -> str:
    """The address of a page, with the customer's first machine and newest invoice in it."""
    machine, invoice = acme.machines.get(code="m-0"), acme.invoices.exclude(number=None).latest("period_start")
    rows = {"customer_pk": acme.pk, "machine_pk": machine.pk, "invoice_pk": invoice.pk}
    refused_pk = RejectedMessage.objects.earliest("pk").pk
    return page.format(machine=machine.code, invoice=invoice.number, refused_pk=refused_pk, **rows)


@pytest.mark.parametrize("page", [*PORTAL, *ADMIN])
def test_a_larger_business_costs_no_more_queries(acme: Customer, page: str) -> None:
    client = signed_in(an_operator() if page.startswith("/admin/") else a_member(acme))
    address = named(page, acme)
    small = queries(client, address)

    grown(acme, 4)
    billed(acme, slice(1))
    rejected(5)
    large = queries(client, address)

    assert 0 < large <= small <= MOST


def test_no_list_is_forgotten() -> None:
    lists = {f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry}

    assert lists - set(ADMIN) == set(SMALL_LISTS)
