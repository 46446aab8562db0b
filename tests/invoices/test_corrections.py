"""Late usage of a closed month is billed on the next invoice, with the tiers of its own month, and never twice."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from accounts.models import Customer
from invoices import billing
from invoices.corrections import period_name
from invoices.estimate import estimate, preview
from invoices.models import Invoice, RatePlan
from tests.cast import a_customer, a_machine
from tests.invoices.rows import BERLIN, CPU, DECEMBER, FEE, HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc
from usage.models import Machine, UsageBucket
from usage.periods import BUCKET_MS, Period

pytestmark = pytest.mark.django_db
GB = 10**9


def billed(customer: Customer, period: Period) -> Invoice:
    draft = billing.draft(customer, period)
    assert draft is not None
    return billing.finalise(draft, period.end + timedelta(days=1))


def test_late_usage_is_corrected_by_the_tiers_of_its_own_month(customer: Customer, machine: Machine) -> None:
    """90 GB were free in October. 30 GB more come late: 20 of them are above the free 100 GB, at 0.01."""
    used(machine, OCTOBER.start, net_tx=90 * GB)
    first = billed(customer, OCTOBER)
    used(machine, OCTOBER.start, net_tx=30 * GB)
    used(machine, NOVEMBER.start, net_tx=100 * GB)

    second = billed(customer, NOVEMBER)

    assert first.total_minor == 900
    assert [(line.kind, line.name, line.amount_minor) for line in second.lines.all()] == [
        ("flat_fee", "Base fee", 900),
        ("usage", "Network out", 0),
        ("correction", "Network out, correction for October 2026", 20),
    ]


def test_a_correction_says_what_it_corrects(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=25 * HOUR_MS)

    line = billed(customer, NOVEMBER).lines.get(kind="correction")

    assert line.derivation["correction"] == {
        "period": "October 2026",
        "period_start": "2026-09-30T22:00:00Z",
        "period_end": "2026-10-31T23:00:00Z",
        "invoices": ["CH-2026-0001"],
        "billed": "4.00",
        "billed_quantity": 360_000_000,
        "rated": "5.00",
        "rated_quantity": 450_000_000,
    }
    assert (line.quantity_text, line.unit, line.amount_minor) == ("25.000", "core-hour", 100)


def test_what_was_corrected_is_not_corrected_again(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=25 * HOUR_MS)
    billed(customer, NOVEMBER)

    december = billed(customer, DECEMBER)

    assert [line.kind for line in december.lines.all()] == ["flat_fee"]


def test_the_live_number_holds_the_correction_before_the_invoice_does(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=25 * HOUR_MS)

    live = estimate(customer, utc(2026, 11, 20))

    assert live.total_minor == 1000
    assert live.total_minor == billed(customer, NOVEMBER).total_minor


def test_volume_prices_may_give_money_back(db: None) -> None:
    """100 hours at 0.05 cost 5.00; the hundred-and-first makes all of them 0.04, so 4.04: 0.96 is given back."""
    tiers = [{"up_to": "100", "unit_price": "0.05"}, {"unit_price": "0.04"}]
    customer = a_customer()
    subscribed(customer, published(FEE, {"model": "volume", "meter": "cpu", "tiers": tiers}))
    machine = a_machine(customer)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)

    assert billed(customer, NOVEMBER).lines.get(kind="correction").amount_minor == -96


def test_a_void_correction_is_owed_again(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=25 * HOUR_MS)
    billing.void(billed(customer, NOVEMBER), "Wrong address")

    assert billed(customer, NOVEMBER).lines.get(kind="correction").amount_minor == 100


def test_a_month_billed_anew_takes_off_what_a_later_invoice_charged_for_it(customer: Customer, machine: Machine) -> None:
    """CPU of October: 4.00, and 1.60 more on November's invoice. Billed anew, October comes to 5.60 in all and not 7.20."""
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    first = billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=40 * HOUR_MS)
    second = billed(customer, NOVEMBER)
    billing.void(first, "Wrong address")

    anew = billed(customer, OCTOBER)

    assert [(line.name, line.amount_minor) for line in anew.lines.all()] == [
        ("Base fee", 900),
        ("CPU", 560),
        ("CPU, correction for October 2026, billed already", -160),
    ]
    assert anew.lines.get(kind="correction").derivation["correction"]["taken_off"]
    assert (first.total_minor, second.total_minor, anew.total_minor) == (1300, 1060, 1300)
    assert billed(customer, DECEMBER).total_minor == 900


def test_a_correction_that_was_taken_off_and_is_void_is_owed_again(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    first = billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=40 * HOUR_MS)
    second = billed(customer, NOVEMBER)
    billing.void(first, "Wrong address")
    billed(customer, OCTOBER)
    billing.void(second, "Wrong address")

    november = billed(customer, NOVEMBER)

    assert [(line.kind, line.amount_minor) for line in november.lines.all()] == [("flat_fee", 900), ("correction", 160)]
    assert sum(Invoice.objects.final().values_list("total_minor", flat=True)) == 900 + 560 + 900


def test_moving_a_machine_to_another_class_changes_no_closed_month(db: None) -> None:
    customer = a_customer()
    subscribed(customer, published(CPU, {**CPU, "name": "GPU", "selector": "gpu", "unit_price": "1"}))
    machine = a_machine(customer)
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)
    billed(customer, OCTOBER)

    machine.machine_class = "gpu"
    machine.save()
    used(machine, NOVEMBER.start, cpu_ms=HOUR_MS)

    assert [(line.name, line.amount_minor) for line in preview(customer, NOVEMBER).lines] == [("GPU", 100)]


def test_usage_of_a_customer_who_left_is_still_corrected(db: None) -> None:
    customer = a_customer()
    subscribed(customer, published(CPU), utc(2026, 9, 30, 22), OCTOBER.end)
    machine = a_machine(customer)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    billing.close(customer, NOVEMBER.start + timedelta(days=2))
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    last = billing.close(customer, DECEMBER.start + timedelta(days=2))

    assert [(invoice.number, invoice.total_minor) for invoice in last] == [("CH-2026-0002", 400)]
    assert billing.close(customer, utc(2027, 3, 1)) == []


@pytest.mark.parametrize("end", [None, utc(2026, 3, 31, 22)], ids=["still here", "left in March"])
def test_usage_of_any_age_is_corrected_though_no_month_has_a_line_of_its_own(db: None, end: datetime | None) -> None:
    """Only usage is priced: January, February and March have some. More of January comes in November, for October's invoice."""
    customer = a_customer()
    subscribed(customer, published(CPU), utc(2025, 12, 31, 23), end)
    machine = a_machine(customer)
    for month in (1, 2, 3):
        used(machine, utc(2026, month, 10), cpu_ms=100 * HOUR_MS)
    billing.close(customer, utc(2026, 11, 3))
    used(machine, utc(2026, 1, 10), cpu_ms=50 * HOUR_MS)

    made = billing.close(customer, utc(2026, 11, 5))

    assert [(invoice.state, invoice.period_start, invoice.total_minor) for invoice in made] == [("finalised", OCTOBER.start, 200)]
    assert billing.close(customer, utc(2026, 12, 3)) == []


def test_years_old_usage_admitted_by_an_operator_reaches_the_final_invoice(plan: RatePlan) -> None:
    customer = a_customer()
    subscribed(customer, plan, utc(2026, 6, 30, 22))
    machine = a_machine(customer)
    billing.close(customer, utc(2026, 11, 2))
    used(machine, utc(2026, 7, 10), cpu_ms=100 * HOUR_MS)

    november = billed(customer, NOVEMBER)

    assert november.lines.get(kind="correction").name == "CPU, correction for July 2026"


ARRIVALS = ((OCTOBER, 60), (NOVEMBER, 60), (OCTOBER, 70), (DECEMBER, 10))


@pytest.mark.parametrize("order", sorted(set(permutations(range(len(ARRIVALS)))))[::4])
def test_the_order_of_arrival_never_changes_the_sum_of_all_invoices(db: None, order: tuple[int, ...]) -> None:
    """October 130 GB, November 60, December 10, in any order between three closings: 30 GB at 0.01 and three fees."""
    tiers = [{"up_to": "100", "unit_price": "0"}, {"unit_price": "0.01"}]
    customer = a_customer()
    subscribed(customer, published(FEE, {"model": "graduated", "meter": "network_out", "tiers": tiers}), OCTOBER.start)
    machine = a_machine(customer)

    for step, index in enumerate(order):
        period, amount = ARRIVALS[index]
        used(machine, period.start, net_tx=amount * GB)
        if step < 3:
            billed(customer, (OCTOBER, NOVEMBER, DECEMBER)[step])
    billed(customer, Period(DECEMBER.end, utc(2027, 1, 31, 23)))

    assert sum(Invoice.objects.values_list("total_minor", flat=True)) == 4 * 900 + 30


def test_a_period_is_named_as_people_do() -> None:
    assert period_name(OCTOBER, BERLIN) == "October 2026"
    assert period_name(Period(OCTOBER.start, utc(2026, 10, 11, 22)), BERLIN) == "1 October 2026 to 11 October 2026"


def test_more_disk_than_64_bits_of_mib_milliseconds_is_billed_and_corrected(db: None) -> None:
    """Two machines with the largest quarter hours that are stored, 2500 each, and a third that comes late."""
    customer = a_customer()
    disk = {"name": "Disk", "model": "per_unit", "meter": "disk", "unit": "GiB-hour", "unit_price": "0.000001"}
    subscribed(customer, published(disk))
    for code in ("m1", "m2"):
        _filled(a_machine(customer, code))
    first = billed(customer, OCTOBER)
    _filled(a_machine(customer, "m3"))

    second = billed(customer, NOVEMBER)

    assert [(line.quantity, line.amount_minor) for line in first.lines.all()] == [(11_258_999_068_426_240_000, 305_420)]
    assert [(line.quantity, line.amount_minor) for line in second.lines.all()] == [(5_629_499_534_213_120_000, 152_710)]


def _filled(machine: Machine) -> None:
    starts = range(OCTOBER.start_ms, OCTOBER.start_ms + 2500 * BUCKET_MS, BUCKET_MS)
    UsageBucket.objects.bulk_create(UsageBucket(machine=machine, start_ms=start, disk_mib_ms=2**51) for start in starts)


@pytest.mark.parametrize(
    ("locale", "name"),
    [
        ("de-DE", "CPU, Korrektur für Oktober 2026"),
        ("fr-FR", "CPU, correction pour octobre 2026"),
        ("en-GB", "CPU, correction for October 2026"),
    ],
)
def test_a_correction_is_named_in_the_customers_language(plan: RatePlan, locale: str, name: str) -> None:
    customer = a_customer(locale=locale)
    subscribed(customer, plan)
    machine = a_machine(customer)
    billed(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    assert billed(customer, NOVEMBER).lines.get(kind="correction").name == name
