"""What an invoice shows day by day: local days, also of 23 and 25 hours, of the machines and the time that its lines bill."""

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from invoices import billing, documents
from invoices.issued import Invoice
from tests.cast import a_customer, a_machine
from tests.invoices.rows import BERLIN, CPU, HOUR_MS, OCTOBER, published, subscribed, used, utc
from tests.invoices.test_documents import words
from usage import days as summed_days
from usage.models import Machine, UsageDay
from usage.periods import Period, days_of, month
from usage.totals import by_day

pytestmark = pytest.mark.django_db
QUARTER = timedelta(minutes=15)


def drafted(customer: Customer) -> Invoice:
    made = billing.draft(customer, OCTOBER)
    assert made is not None
    return made


def test_the_first_line_of_a_meter_keeps_its_days(customer: Customer, machine: Machine) -> None:
    """Clocks go back on 25 October: its last quarter hour is the 25th hour of the day."""
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)
    used(machine, utc(2026, 10, 25, 22, 45), cpu_ms=2 * HOUR_MS)
    used(machine, utc(2026, 10, 25, 23), cpu_ms=3 * HOUR_MS)
    used(machine, OCTOBER.end - QUARTER, cpu_ms=4 * HOUR_MS, net_tx=150 * 10**9)

    fee, cpu, out = drafted(customer).lines.all()

    hours = {place: quantity // HOUR_MS for place, quantity in enumerate(cpu.derivation["days"]["quantities"], 1) if quantity}
    assert hours == {1: 1, 25: 2, 26: 3, 31: 4}
    assert sum(cpu.derivation["days"]["quantities"]) == cpu.quantity
    assert cpu.derivation["days"]["first"] == "2026-10-01"
    assert out.derivation["days"]["quantities"] == [0] * 30 + [150 * 10**9]
    assert "days" not in fee.derivation


def test_days_are_of_the_machines_and_the_time_that_are_billed(db: None) -> None:
    """Only class gpu is priced, from 10 October on."""
    customer = a_customer()
    subscribed(customer, published({**CPU, "selector": "gpu"}), utc(2026, 10, 9, 22))
    for code, machine_class in (("gpu-1", "gpu"), ("web-1", "")):
        machine = a_machine(customer, code, machine_class=machine_class)
        used(machine, utc(2026, 10, 9, 21, 45), cpu_ms=HOUR_MS)
        used(machine, utc(2026, 10, 9, 22), cpu_ms=2 * HOUR_MS)

    (line,) = drafted(customer).lines.all()

    assert line.derivation["days"] == {"first": "2026-10-10", "quantities": [2 * HOUR_MS] + [0] * 21}


@pytest.mark.parametrize(("number", "count"), [(3, 31), (10, 31), (11, 30)])
def test_every_quarter_hour_is_on_the_day_that_the_clock_says(
    db: None, django_assert_num_queries: DjangoAssertNumQueries, number: int, count: int
) -> None:
    machine = a_machine(a_customer())
    days = list(days_of(month(2026, number, BERLIN), BERLIN))
    for place, day in enumerate(days, 1):
        used(machine, day.start, net_rx=place)
        used(machine, day.end - QUARTER, net_tx=1000 * place)

    with django_assert_num_queries(3):
        found = by_day(machine.customer, days, ["network", "cpu"])
    summed_days.catch_up(days[-4].start + timedelta(days=2))  # The last days are not over.
    with django_assert_num_queries(5):
        from_days = by_day(machine.customer, days, ["network", "cpu"])

    assert found == {"web-1": {"network": [1001 * place for place in range(1, count + 1)], "cpu": [0] * count}}
    assert from_days == found
    assert UsageDay.objects.count() > 20


def test_a_cut_day_and_a_day_that_late_usage_changed_are_counted_from_their_quarter_hours(db: None) -> None:
    machine = a_machine(a_customer())
    whole = list(days_of(month(2026, 9, BERLIN), BERLIN))
    for place, day in enumerate(whole, 1):
        used(machine, day.start, net_rx=place)
        used(machine, day.end - QUARTER, net_rx=1000 * place)
    summed_days.catch_up(whole[-1].end + timedelta(days=2))
    changed = UsageDay.objects.get(start_ms=whole[9].start_ms)
    UsageDay.objects.filter(pk=changed.pk).update(stale=True, net_rx=7)
    cut = [Period(whole[0].start + QUARTER, whole[0].end), *whole[1:-1], Period(whole[-1].start, whole[-1].end - QUARTER)]

    found = by_day(machine.customer, cut, ["network"])

    assert found == {"web-1": {"network": [1000, *(1001 * place for place in range(2, 30)), 30]}}


def test_the_paper_shows_each_meter_and_an_older_invoice_none(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=1500 * HOUR_MS)
    invoice = drafted(customer)

    shown = words(documents.pdf(invoice))
    for line in invoice.lines.all():
        line.derivation.pop("days", None)
        line.save()
    older = words(documents.pdf(Invoice.objects.get()))

    assert "What was used day by day CPU at most 1,500.000 core-hour a day 1 October 2026 31 October 2026" in shown
    assert "day by day" not in older
    assert "How each line came about" in older
