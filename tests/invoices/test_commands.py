"""compute_invoices does by hand what the hourly tasks do."""

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounts.models import Customer
from invoices import runs, tasks
from invoices.models import Invoice, InvoiceRun, RunItem
from tests.cast import a_customer, a_machine
from tests.invoices.rows import CPU, FEE, HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc
from usage.models import Machine

pytestmark = pytest.mark.django_db


def compute(*arguments: str) -> str:
    out = StringIO()
    call_command("compute_invoices", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_a_dry_run_shows_the_month_and_stores_nothing(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    shown = compute("--period", "2026-10", "--customer", "tideline", "--dry-run")

    assert "Tideline Cartography (tideline), 2026-10-01 00:00 to 2026-11-01 00:00 Europe/Berlin: not stored" in shown
    assert "core-hour" in shown
    assert "13.00" in shown
    assert not Invoice.objects.exists()


def test_a_run_drafts_and_finalises_once(customer: Customer) -> None:
    drafted = compute("--period", "2026-10")
    finalised = compute("--period", "2026-10", "--finalise")
    again = compute("--period", "2026-10", "--finalise")

    assert "Draft for Tideline Cartography, from 2026-10-01" in drafted
    assert "CH-2026-0001" in finalised
    assert "CH-2026-0001 is final already" in again
    assert Invoice.objects.count() == 1


def test_without_a_period_it_is_the_last_month(customer: Customer) -> None:
    with time_machine.travel(utc(2026, 12, 5)):
        compute()

    assert Invoice.objects.get().period_start == NOVEMBER.start


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--period", "2026-13"], "'2026-13' is no month such as 2026-10"),
        (["--period", "october"], "'october' is no month such as 2026-10"),
        (["--customer", "nobody"], "no customer with the code 'nobody'"),
        (["--dry-run", "--finalise"], "choose one"),
    ],
)
def test_what_it_cannot_do_is_one_sentence(customer: Customer, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        compute(*arguments)


def test_one_customer_who_cannot_be_billed_holds_up_no_other(customer: Customer) -> None:
    broken = a_customer("broken", currency="USD")
    subscribed(broken, published(CPU, code="usd", currency="USD"))
    Customer.objects.filter(pk=broken.pk).update(currency="EUR")

    with pytest.raises(CommandError, match=r"1 customer\(s\) could not be billed"):
        compute("--period", "2026-10")

    assert Invoice.objects.get().customer == customer


def test_the_hourly_task_closes_each_customers_month_in_its_own_zone(customer: Customer) -> None:
    """At 06:00 UTC on 2 November October is a day over in Berlin and in Tokyo, not yet in Los Angeles."""
    for code, zone in (("tokyo", "Asia/Tokyo"), ("angeles", "America/Los_Angeles")):
        other = a_customer(code, timezone=zone)
        subscribed(other, published(FEE, code=code), utc(2026, 10, 15))
    customer.subscriptions.update(start=utc(2026, 10, 15))

    with time_machine.travel(utc(2026, 11, 2, 6)):
        for item in runs.begin():
            tasks.close_customer(item)
            tasks.close_customer(item)

    states = dict(Invoice.objects.values_list("customer__code", "state"))
    assert states == {"angeles": "draft", "tideline": "finalised", "tokyo": "finalised"}
    assert list(Invoice.objects.final().order_by("number").values_list("number", flat=True)) == ["CH-2026-0001", "CH-2026-0002"]


def test_the_hourly_task_queues_one_task_per_customer_with_a_subscription(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_customer("idle")
    queued: list[int] = []
    monkeypatch.setattr(tasks.close_customer, "delay", queued.append)

    tasks.close_finished_periods()

    assert [RunItem.objects.get(pk=pk).customer for pk in queued] == [customer]


def test_two_beats_in_one_hour_make_one_run_and_a_task_delivered_twice_does_nothing(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer.subscriptions.update(start=utc(2026, 10, 15))
    queued: list[int] = []
    monkeypatch.setattr(tasks.close_customer, "delay", queued.append)

    with time_machine.travel(utc(2026, 11, 3, 6, 5)):
        tasks.close_finished_periods()
        tasks.close_finished_periods()
        made = [tasks.close_customer(item) for item in queued]
    with time_machine.travel(utc(2026, 11, 3, 6, 50)):
        tasks.close_finished_periods()

    assert (len(queued), len(set(queued)), InvoiceRun.objects.count()) == (2, 1, 1)
    assert made == [["CH-2026-0001"], ["CH-2026-0001"]]
    assert [(item.state, item.invoices) for item in RunItem.objects.all()] == [("done", ["CH-2026-0001"])]


def test_a_customer_who_cannot_be_billed_is_parked_and_the_others_go_on(customer: Customer) -> None:
    customer.subscriptions.update(start=utc(2026, 10, 15))
    broken = a_customer("broken")
    subscribed(broken, published(FEE, code="broken"), utc(2026, 10, 15))
    Customer.objects.filter(pk=broken.pk).update(currency="USD")

    with time_machine.travel(utc(2026, 11, 3, 6, 5)):
        for item in runs.begin():
            tasks.close_customer(item)

    parked = RunItem.objects.get(customer=broken)
    assert (parked.state, parked.invoices) == ("parked", [])
    assert parked.reason == "CurrencyError: Plan 'broken' is priced in EUR, but the invoice is in USD."
    assert RunItem.objects.get(customer=customer).state == "done"
    assert Invoice.objects.get().customer == customer


def test_a_month_is_drafted_from_its_end_and_final_after_the_grace_hours(
    customer: Customer, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.close_customer, "delay", tasks.close_customer)
    customer.subscriptions.update(start=OCTOBER.start)
    used(a_machine(customer, "m2"), OCTOBER.start, cpu_ms=HOUR_MS)

    with time_machine.travel(OCTOBER.end + timedelta(hours=23, minutes=59)):
        tasks.close_finished_periods()
        before = Invoice.objects.get().state
    with time_machine.travel(OCTOBER.end + timedelta(hours=24)):
        tasks.close_finished_periods()

    assert (before, Invoice.objects.get().state) == ("draft", "finalised")
