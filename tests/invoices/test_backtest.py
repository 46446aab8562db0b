"""A draft tried on past months: by command and on the desk's page, and nothing written by either."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Customer
from invoices import billing
from invoices.models import PlanVersion, RatePlan
from invoices.publishing import new_draft
from tests.cast import a_customer, a_machine, an_operator, signed_in
from tests.invoices.rows import CPU, HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc

pytestmark = pytest.mark.django_db
DRAFT = """
code = "plan"
name = "Plan"
currency = "EUR"
[[prices]]
model = "time_of_use"
meter = "cpu"
unit_price = "0.02"
windows = [{ days = [4], from = "00:00", to = "12:00", unit_price = "0.10" }]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "draft.toml"
    path.write_text(DRAFT)
    return str(path)


@pytest.fixture
def acme() -> Customer:
    """100 core-hours at 0.04 on a Thursday night in October, and 50 in November at noon of a Sunday."""
    customer = a_customer("acme")
    subscribed(customer, published(CPU))
    machine = a_machine(customer)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    used(machine, NOVEMBER.start + timedelta(hours=12), cpu_ms=50 * HOUR_MS)
    return customer


def run(*arguments: Any, **options: Any) -> str:
    out = StringIO()
    with time_machine.travel(utc(2026, 12, 5), tick=False):
        call_command("backtest", *arguments, stdout=out, stderr=StringIO(), **options)
    return " ".join(out.getvalue().split())


def test_each_month_is_rated_under_the_draft_and_compared(acme: Customer, file: str) -> None:
    """October: 4.00 today, 10.00 in the window. November: 2.00 today, 1.00 outside of it."""
    said = run(file, months=2)

    assert "acme │ 2026-10 │ EUR │ 4.00 │ 10.00 │ +6.00 │ +150.0" in said
    assert "acme │ 2026-11 │ EUR │ 2.00 │ 1.00 │ -1.00 │ -50.0" in said
    assert "1 would pay more, 0 less, 0 the same. Nothing was stored." in said


def test_nothing_is_written(acme: Customer, file: str) -> None:
    draft = billing.draft(acme, OCTOBER)
    before = list(PlanVersion.objects.values())
    with CaptureQueriesContext(connection) as queries:
        run(file, months=3)

    assert draft is not None
    assert list(PlanVersion.objects.values()) == before
    # PostgreSQL reads rows in portions by a cursor, which it declares.
    assert {query["sql"].split()[0] for query in queries} <= {"SELECT", "DECLARE"}


def test_a_customer_of_another_plan_can_be_tried_and_one_of_another_currency_is_told(acme: Customer, file: str) -> None:
    other = a_customer("other")
    subscribed(other, published({**CPU, "unit_price": "0.01"}, code="else"))
    used(a_machine(other, "db-1"), OCTOBER.start, cpu_ms=10 * HOUR_MS)
    a_customer("yen", currency="JPY")

    said = run(file, months=2, customer=["other", "yen"])

    assert "other │ 2026-10 │ EUR │ 0.10 │ 1.00 │ +0.90" in said
    assert "priced in EUR" in said
    assert "1 would pay more, 0 less, 0 the same; 1 could not be priced" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"months": 0}, "--months must be from 1 to 36."),
        ({"customer": ["nobody"]}, "There is no customer with the code 'nobody'."),
        ({}, "Nobody is subscribed to 'plan'"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(file: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(file, **arguments)


def test_the_desk_tries_a_draft_a_few_customers_at_a_time(acme: Customer) -> None:
    draft = new_draft(RatePlan.objects.get())
    draft.prices.update(price_nano=80_000_000)
    for number in range(3):
        a_customer(f"more-{number}")
    address = f"/admin/invoices/planversion/{draft.pk}/past-months/"
    chosen = "&".join(f"customer={code}" for code in ("acme", "more-0", "more-1", "more-2"))

    with time_machine.travel(utc(2026, 12, 5), tick=False), CaptureQueriesContext(connection) as queries:
        desk = signed_in(an_operator())
        page = desk.get(f"{address}?{chosen}&months=2").content.decode()
        first = desk.get(f"{address}?{chosen}&months=2&from=0").content.decode()
        last = desk.get(f"{address}?{chosen}&months=2&from=3&more=1&same=2").content.decode()

    assert '<progress max="4" value="0"' in page
    assert '<progress max="4" value="3"' in first
    assert "+4.00" in first
    assert "1 would pay more, 0 less, 3 the same." in last
    assert "hx-get" not in last
    assert not [query for query in queries if "invoices_" in query["sql"] and query["sql"].split()[0] != "SELECT"]


def test_the_page_is_the_operators(acme: Customer) -> None:
    version = PlanVersion.objects.get()

    assert Client().get(f"/admin/invoices/planversion/{version.pk}/past-months/").status_code == 302
    assert signed_in(an_operator()).get(f"/admin/invoices/planversion/{version.pk}/past-months/").status_code == 200
