"""Plans that ask when usage was: rated from stored quarter hours, live as on the invoice, late usage and years included."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from invoices import billing
from invoices.corrections import corrections
from invoices.estimate import estimate, preview
from invoices.fleet import record
from invoices.gather import gather
from invoices.models import FleetLoad
from invoices.spend import cost_by_day
from tests.cast import a_customer, a_machine
from tests.invoices.rows import DECEMBER, HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc
from usage.models import Machine

pytestmark = pytest.mark.django_db
WINDOW = {"name": "day", "from": "08:00", "to": "20:00", "unit_price": "0.10"}
TIME_OF_USE = {"name": "CPU", "model": "time_of_use", "meter": "cpu", "unit_price": "0.02", "windows": [WINDOW]}


def on(*prices: dict[str, Any]) -> tuple[Customer, Machine]:
    customer = a_customer()
    subscribed(customer, published(*prices))
    return customer, a_machine(customer, cores=8)


def amounts(customer: Customer) -> list[int]:
    return [line.amount_minor for line in preview(customer, OCTOBER).lines]


def test_quarter_hours_fall_into_windows_of_the_customers_zone() -> None:
    """07:45 in Berlin is outside, 08:00 inside: 10 core-hours at 0.02 and 20 at 0.10."""
    customer, machine = on(TIME_OF_USE)
    used(machine, utc(2026, 10, 5, 5, 45), cpu_ms=10 * HOUR_MS)
    used(machine, utc(2026, 10, 5, 6, 0), cpu_ms=20 * HOUR_MS)

    assert amounts(customer) == [200, 20]
    assert cost_by_day(customer, OCTOBER, OCTOBER.end).total_minor == 220


def test_a_spot_price_that_changes_within_a_quarter_hour_cuts_it() -> None:
    """A third of the quarter hour at 0.10, two thirds at 0.40: 12 core-hours cost 0.40 + 3.20."""
    series = [["2026-10-01T00:00:00Z", "0.10"], ["2026-10-05T06:05:00Z", "0.40"]]
    customer, machine = on({"model": "spot_series", "meter": "cpu", "series": series})
    used(machine, utc(2026, 10, 5, 6, 0), cpu_ms=12 * HOUR_MS)

    assert amounts(customer) == [360]


def test_the_95th_percentile_of_quarter_hours_is_of_all_machines_together() -> None:
    """40 quarter hours of 1 to 40 Mbit/s on one machine, 10 more on another: the top two fall away, 38 + 10 is left."""
    customer, machine = on(
        {"model": "per_unit", "meter": "network_out", "unit": "Mbit/s", "aggregation": "p95", "unit_price": "1"}
    )
    other = a_machine(customer, "web-2")
    for number in range(40):
        at = utc(2026, 10, 5) + timedelta(minutes=15 * number)
        used(machine, at, net_tx=(number + 1) * 112_500_000)
        used(other, at, net_tx=10 * 112_500_000)

    assert amounts(customer) == [4800]
    assert preview(customer, OCTOBER).lines[0].quantity_text == "48.000"


def test_idle_quarter_hours_are_values_of_a_percentile_and_those_without_a_reading_are_none() -> None:
    """40 quarter hours of 1 to 40 Mbit/s and 60 of nothing are 100 values: the top five fall away, 35 is left."""
    customer, machine = on(
        {"model": "per_unit", "meter": "network_out", "unit": "Mbit/s", "aggregation": "p95", "unit_price": "1"}
    )
    for number in range(120):
        speed = max(0, number - 79)
        metered = {"covered_ms": 0} if number < 20 else {}
        used(machine, utc(2026, 10, 5) + timedelta(minutes=15 * number), net_tx=speed * 112_500_000, **metered)

    assert amounts(customer) == [3500]


def test_reserved_cores_count_quarter_hour_by_quarter_hour() -> None:
    """Berlin's October has 745 hours: 2 x 745 x 0.01 = 14.90. A quarter hour of 6 cores is 1 core-hour above, at 0.50."""
    customer, machine = on({"model": "reserved", "meter": "cpu", "reserved": "2", "unit_price": "0.01", "overage_price": "0.50"})
    used(machine, utc(2026, 10, 5), cpu_ms=6 * HOUR_MS // 4)

    assert amounts(customer) == [1540]


def test_a_year_of_tiers_counts_from_invoice_to_invoice_and_again_when_usage_is_late() -> None:
    """100 at 1.00 a year, then 0.50. October 80, November 40: 80.00 and 30.00. Ten more in October move ten of November."""
    tiers = [{"up_to": "100", "unit_price": "1"}, {"unit_price": "0.50"}]
    customer, machine = on({"name": "CPU", "model": "graduated", "meter": "cpu", "tier_window": "year", "tiers": tiers})
    used(machine, OCTOBER.start, cpu_ms=80 * HOUR_MS)
    used(machine, NOVEMBER.start, cpu_ms=40 * HOUR_MS)
    for period in (OCTOBER, NOVEMBER):
        draft = billing.draft(customer, period)
        assert draft is not None
        billing.finalise(draft, period.end)

    used(machine, OCTOBER.start, cpu_ms=10 * HOUR_MS)
    owed = corrections(customer, DECEMBER)

    assert [line.amount_minor for line in owed] == [1000, -500]
    assert estimate(customer, DECEMBER.start + timedelta(days=1)).subtotal_minor == 500


def test_moving_a_machine_to_another_class_changes_no_closed_month_of_a_year_of_tiers() -> None:
    """October's 80 are still what November's 40 count on from: 30.00, also where they would now be of another class."""
    price: dict[str, Any] = {"name": "CPU", "model": "graduated", "meter": "cpu", "tier_window": "year"}
    price |= {"tiers": [{"up_to": "100", "unit_price": "1"}, {"unit_price": "0.50"}]}
    customer, machine = on(price, {**price, "name": "GPU", "selector": "gpu"})
    for period, hours in ((OCTOBER, 80), (NOVEMBER, 40)):
        used(machine, period.start, cpu_ms=hours * HOUR_MS)
        draft = billing.draft(customer, period)
        assert draft is not None
        billing.finalise(draft, period.end)

    Machine.objects.update(machine_class="gpu")

    assert corrections(customer, DECEMBER) == []


def test_a_minimum_and_a_commitment_are_lines_that_late_usage_uses_up() -> None:
    customer, machine = on({"name": "CPU", "model": "per_unit", "meter": "cpu", "unit_price": "1", "minimum": "10"})
    used(machine, OCTOBER.start, cpu_ms=4 * HOUR_MS)
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    invoice = billing.finalise(draft, OCTOBER.end)

    used(machine, OCTOBER.start, cpu_ms=3 * HOUR_MS)

    assert [(line.kind, line.amount_minor) for line in invoice.lines.all()] == [("usage", 400), ("minimum_true_up", 600)]
    assert [line.amount_minor for line in corrections(customer, NOVEMBER)] == [300, -300]


def test_the_fleets_load_is_recorded_once_and_prices_what_follows() -> None:
    """6 of 8 cores in use from 10:00 to 11:00 are 75 %: half more than the target. What arrives later changes no price."""
    demand = {"target": "0.50", "floor": "0.5", "cap": "2"}
    customer, machine = on({"model": "per_unit", "meter": "cpu", "unit_price": "1", "demand": demand})
    for quarter in range(4):
        used(machine, utc(2026, 10, 5, 10, 15 * quarter), cpu_ms=6 * HOUR_MS // 4)

    first, again = record(utc(2026, 10, 5, 11, 2)), record(utc(2026, 10, 5, 11, 40))
    used(machine, utc(2026, 10, 5, 10, 0), cpu_ms=2 * HOUR_MS)
    late = record(utc(2026, 10, 5, 11, 59))
    used(machine, utc(2026, 10, 5, 11, 0), cpu_ms=2 * HOUR_MS)

    assert first == again == late == FleetLoad.objects.get()
    assert (first.share_micro, first.at) == (750_000, utc(2026, 10, 5, 11))
    assert amounts(customer) == [800 + 300]


def test_an_hour_without_usage_records_nothing() -> None:
    assert record(utc(2026, 10, 5, 11, 2)) is None
    assert not FleetLoad.objects.exists()


def test_time_of_use_asks_one_query_more_than_sums(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    customer, machine = on(TIME_OF_USE)
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)
    with django_assert_num_queries(8):  # Four for the contracts, two for the sums of each machine, two for quarter hours.
        gather(customer, OCTOBER)
