"""The running cost: below a cent, by the hour, by the day, by machine; always adding up; never many queries."""

from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from invoices import billing, plan_file, publishing
from invoices.estimate import estimate
from invoices.models import RatePlan
from invoices.spend import cost_by_day, cost_by_machine
from tests.cast import a_customer, a_machine
from tests.invoices.rows import CPU, FEE, HOUR_MS, OCTOBER, published, subscribed, used, utc
from usage.models import Machine, UsageBucket
from usage.periods import to_ms

pytestmark = pytest.mark.django_db
QUARTER = timedelta(minutes=15)
SHIPPED = sorted(Path(plan_file.__file__).parent.glob("plans/*.toml"))


def test_the_running_cost_moves_below_a_cent(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=1_234_567)

    live = estimate(customer, OCTOBER.start + timedelta(hours=1))

    assert (live.total, live.exact_text) == ("9.01", "9.0137")
    assert live.period == OCTOBER


def test_the_quarter_hour_in_progress_counts_and_a_later_one_does_not(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    used(machine, OCTOBER.start + QUARTER, cpu_ms=100 * HOUR_MS)

    assert estimate(customer, OCTOBER.start + timedelta(minutes=1)).total_minor == 1300
    assert estimate(customer, OCTOBER.start + timedelta(minutes=16)).total_minor == 1700


def test_the_cost_per_hour_is_that_of_the_last_four_quarters(customer: Customer, machine: Machine) -> None:
    for quarter in range(8):
        used(machine, OCTOBER.start + quarter * QUARTER, cpu_ms=quarter * HOUR_MS)

    assert estimate(customer, OCTOBER.start + timedelta(hours=2)).per_hour == Fraction("0.04") * (4 + 5 + 6 + 7)
    assert estimate(customer, OCTOBER.start + timedelta(minutes=59)).per_hour is None


def test_an_estimate_takes_fourteen_queries_however_many_machines(
    customer: Customer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        used(a_machine(customer, f"m{number}"), OCTOBER.start, cpu_ms=HOUR_MS)

    with django_assert_num_queries(14):
        live = estimate(customer, OCTOBER.start + timedelta(hours=2))

    assert live.total_minor == 948


def test_days_add_up_to_the_usage_lines_across_tiers_and_a_change_of_price(
    customer: Customer, machine: Machine, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    published(FEE, {**CPU, "unit_price": "0.055"}, since=utc(2026, 10, 12, 22))
    for day in range(31):
        used(machine, OCTOBER.start + timedelta(days=day, hours=2), cpu_ms=777_777 * day, net_tx=9 * 10**9)
    at = OCTOBER.end - timedelta(seconds=1)

    with django_assert_num_queries(7):
        spend = cost_by_day(customer, at=at)

    assert len(spend.days) == 31
    assert spend.series == ("CPU", "Network out")
    assert spend.total_minor == sum(line.amount_minor for line in estimate(customer, at).lines if line.kind == "usage")
    by_day = {day.day: day.amounts for day in spend.days}
    assert by_day[date(2026, 10, 12)] == {"CPU": 9, "Network out": 8}


def test_days_that_have_not_begun_are_not_shown(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    spend = cost_by_day(customer, at=utc(2026, 10, 3, 12))

    assert [(day.day.day, day.total_minor) for day in spend.days] == [(1, 400), (2, 0), (3, 0)]


def test_machines_add_up_to_the_lines(customer: Customer) -> None:
    for number, cpu_ms in enumerate((1, 1, 1), start=1):
        used(a_machine(customer, f"m{number}"), OCTOBER.start, cpu_ms=cpu_ms * HOUR_MS * 25 // 3)
    live = estimate(customer, OCTOBER.start + timedelta(hours=1))

    shares = cost_by_machine(live)

    assert [(share.code, share.amount_minor) for share in shares] == [("m1", 34), ("m2", 33), ("m3", 33)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_last_live_number_of_every_shipped_plan_is_the_invoice(path: Path, db: None) -> None:
    document = plan_file.read(path.read_text())
    version, _ = publishing.save_draft(document)
    publishing.publish(version)
    customer = a_customer(currency=document.currency)
    subscribed(customer, RatePlan.objects.get())
    for number in range(3):
        machine = a_machine(customer, f"m{number}")
        for day in range(31):
            used(
                machine,
                OCTOBER.start + timedelta(days=day, hours=number),
                cpu_ms=9_999_991 * day,
                memory_mib_ms=77_777_777_777,
                disk_mib_ms=999_999_999_999,
                net_tx=7_654_321_012,
                cpu_upct=37_500_000,
                memory_upct=61_200_000,
            )

    live = estimate(customer, OCTOBER.end - timedelta(microseconds=1))
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    invoice = billing.finalise(draft, OCTOBER.end)

    assert live.total_minor == invoice.total_minor > 0
    usage = sum(line.amount_minor for line in live.lines if line.kind == "usage")
    assert cost_by_day(customer, OCTOBER, OCTOBER.end).total_minor == usage


def test_the_papers_example_as_version_0_messages_store_it(db: None) -> None:
    version, _ = publishing.save_draft(plan_file.read((SHIPPED[0].parent / "paper.toml").read_text()))
    publishing.publish(version)
    customer = a_customer(currency="USD")
    subscribed(customer, version.plan)
    used(a_machine(customer), OCTOBER.start, cpu_upct=37_500_000, memory_upct=61_200_000, covered_ms=0)

    live = estimate(customer, OCTOBER.start + timedelta(minutes=1))

    assert live.exact == Fraction("2.487")
    assert live.exact_text == "2.4870"
    assert live.lines[0].derivation["coverage"] is None


def coverage(customer: Customer, at: datetime) -> tuple[int, int]:
    """What the CPU line of the running month says: milliseconds metered, and of how many."""
    told = next(line for line in estimate(customer, at).lines if line.name == "CPU").derivation["coverage"]
    return told["covered_ms"], told["period_ms"]


def test_a_running_month_is_covered_whole_up_to_the_newest_sample(customer: Customer, machine: Machine) -> None:
    """Seven minutes past the month's first hour; the last sample came a minute ago."""
    at = OCTOBER.start + timedelta(minutes=67)
    for quarter in range(4):
        used(machine, OCTOBER.start + quarter * QUARTER, cpu_ms=1)
    used(machine, OCTOBER.start + 4 * QUARTER, cpu_ms=1, covered_ms=6 * 60_000)
    UsageBucket.objects.filter(start_ms=to_ms(OCTOBER.start + 4 * QUARTER)).update(covered_ms=6 * 60_000)
    Machine.objects.update(last_seen_ms=to_ms(at) - 60_000)

    assert coverage(customer, at) == (66 * 60_000, 66 * 60_000)
    Machine.objects.update(last_seen_ms=to_ms(at) - 60_001)
    assert coverage(customer, at) == (66 * 60_000, 67 * 60_000)


def test_a_machine_made_inside_the_month_counts_from_then_on(customer: Customer, machine: Machine) -> None:
    """October in Berlin has 745 hours."""
    made, at = OCTOBER.end - timedelta(hours=1), OCTOBER.end - timedelta(microseconds=1)
    Machine.objects.update(created_at=made)
    used(machine, made + QUARTER, cpu_ms=1)

    assert coverage(customer, at) == (15 * 60_000, 60 * 60_000)
    Machine.objects.update(created_at=OCTOBER.start - QUARTER)
    assert coverage(customer, at) == (15 * 60_000, 745 * HOUR_MS)
