"""The life of an invoice: draft, final, paid or void; numbers without a gap; each month once."""

from datetime import date, datetime, timedelta

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from invoices import billing, payments, publishing
from invoices.due import Calendar, calendar_of
from invoices.estimate import estimate, preview
from invoices.gather import CurrencyError, billing_period
from invoices.models import Invoice, RatePlan
from invoices.parts import NoPriceError
from invoices.refusals import BillingError
from tests.cast import a_customer, a_machine
from tests.invoices.rows import CPU, DECEMBER, FEE, HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc
from usage.models import Machine
from usage.periods import Period

pytestmark = pytest.mark.django_db
AFTER_OCTOBER = utc(2026, 11, 2)


def final(customer: Customer, period: Period = OCTOBER, at: datetime = AFTER_OCTOBER) -> Invoice:
    draft = billing.draft(customer, period)
    assert draft is not None
    return billing.finalise(draft, at)


def test_a_draft_follows_usage_and_a_final_invoice_does_not(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    first = billing.draft(customer, OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=50 * HOUR_MS)
    again = billing.draft(customer, OCTOBER)

    assert first is not None
    assert again is not None
    assert (first.pk, first.total_minor, again.total_minor) == (again.pk, 1300, 1500)
    billing.finalise(again, AFTER_OCTOBER)
    used(machine, OCTOBER.start, cpu_ms=50 * HOUR_MS)
    with pytest.raises(BillingError, match="CH-2026-0001 has billed that period already"):
        billing.draft(customer, OCTOBER)
    assert Invoice.objects.get().total_minor == 1500


def test_everything_printed_is_copied(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    invoice = final(customer)
    Customer.objects.update(name="Renamed", address="Elsewhere", timezone="Asia/Tokyo")
    RatePlan.objects.update(name="Renamed")

    invoice.refresh_from_db()
    assert (invoice.customer_name, invoice.customer_address) == ("Tideline Cartography", "Speicherweg 14\n20457 Hamburg")
    assert (invoice.timezone, invoice.currency, invoice.plans) == (
        "Europe/Berlin",
        "EUR",
        [{"code": "plan", "name": "Plan", "version": 1}],
    )
    assert (invoice.issued_on, invoice.due_on) == (date(2026, 11, 2), date(2026, 11, 16))
    line = invoice.lines.get(meter="cpu")
    assert (line.plan_name, line.quantity, line.unit, line.exact, line.amount_minor) == (
        "Plan",
        360_000_000,
        "core-hour",
        "4",
        400,
    )


def test_finalising_rates_once_more(customer: Customer, machine: Machine) -> None:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)

    invoice = billing.finalise(draft, AFTER_OCTOBER)

    assert (draft.total_minor, invoice.total_minor) == (900, 1300)


def test_a_running_period_cannot_be_finalised(customer: Customer) -> None:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None

    with pytest.raises(BillingError, match="runs until 2026-10-31 23:00 UTC"):
        billing.finalise(draft, utc(2026, 10, 31, 22, 59))
    assert billing.finalise(draft, OCTOBER.end).number == "CH-2026-0001"


def test_numbers_have_no_gap_when_a_transaction_is_given_up(customer: Customer) -> None:
    with transaction.atomic():
        final(customer)
        transaction.set_rollback(True)

    assert not Invoice.objects.exists()
    assert [final(customer).number, final(customer, NOVEMBER, utc(2026, 12, 2)).number] == ["CH-2026-0001", "CH-2026-0002"]
    assert final(customer, DECEMBER, utc(2027, 1, 2)).number == "CH-2027-0001"


def test_a_month_without_usage_and_fee_makes_no_invoice(db: None) -> None:
    customer = a_customer()
    subscribed(customer, published(CPU))
    machine = a_machine(customer)

    assert billing.draft(customer, OCTOBER) is None
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)
    assert billing.draft(customer, OCTOBER) is not None


def test_a_draft_that_has_nothing_left_to_bill_goes(customer: Customer) -> None:
    assert billing.draft(customer, OCTOBER) is not None

    publishing.leave(customer.subscriptions.get(), OCTOBER.start)

    assert billing.draft(customer, OCTOBER) is None
    assert not Invoice.objects.exists()


def test_closing_drafts_in_the_grace_period_and_finalises_after_it_once(plan: RatePlan) -> None:
    """Subscribed at midnight of 20 September in Berlin: 11 of 30 days of 9.00."""
    customer = a_customer(grace_hours=24)
    subscribed(customer, plan, utc(2026, 9, 19, 22))

    drafted = billing.close(customer, OCTOBER.end + timedelta(hours=1))
    finalised = billing.close(customer, OCTOBER.end + timedelta(hours=24))
    again = billing.close(customer, OCTOBER.end + timedelta(hours=25))

    assert [(invoice.state, invoice.total_minor) for invoice in drafted] == [("finalised", 330), ("draft", 900)]
    assert [(invoice.state, invoice.number) for invoice in finalised] == [("finalised", "CH-2026-0002")]
    assert again == []


def test_payments_make_an_invoice_paid_and_a_reference_counts_once(customer: Customer) -> None:
    invoice = final(customer)
    day = date(2026, 11, 9)

    payments.record_payment(invoice, 400, "bank-1", day)
    payments.record_payment(invoice, 400, "bank-1", day)
    partly = Invoice.objects.with_settlement().get()
    payments.record_payment(invoice, 500, "bank-2", day)

    assert (partly.status_on(day), partly.paid_minor) == ("partly_paid", 400)
    assert (partly.status_on(date(2026, 11, 16)), partly.status_on(date(2026, 11, 17))) == ("partly_paid", "overdue")
    assert Invoice.objects.get().status == "paid"
    with pytest.raises(BillingError, match="recorded with 4.00"):
        payments.record_payment(invoice, 401, "bank-1", day)


@pytest.mark.parametrize(
    ("amount_minor", "received_on", "reason"),
    [
        (901, date(2026, 11, 9), "9.00 EUR is due and 0.00 is paid"),
        (-1, date(2026, 11, 9), "9.00 EUR is due and 0.00 is paid"),
        (900, date(2999, 1, 1), "still to come"),
    ],
)
def test_no_payment_is_more_than_is_due_or_from_a_day_to_come(
    customer: Customer, amount_minor: int, received_on: date, reason: str
) -> None:
    invoice = final(customer)

    with pytest.raises(BillingError, match=reason):
        payments.record_payment(invoice, amount_minor, "bank-1", received_on)

    assert payments.record_payment(invoice, 900, "bank-1", date(2026, 11, 9)).amount_minor == 900
    assert payments.record_payment(invoice, -900, "bounced-1", date(2026, 11, 10)).amount_minor == -900


def test_a_void_invoice_keeps_its_number_and_its_month_is_billed_anew(customer: Customer) -> None:
    invoice = final(customer)

    billing.void(invoice, "Wrong address")
    anew = final(customer)

    assert (invoice.status, invoice.number, anew.number, anew.attempt) == ("void", "CH-2026-0001", "CH-2026-0002", 1)
    with pytest.raises(BillingError, match="only a finalised invoice that is not void can be paid"):
        payments.record_payment(invoice, 1, "x", date(2026, 11, 9))
    with pytest.raises(BillingError, match="can be declared void"):
        billing.void(invoice, "Again")


def test_a_paid_invoice_cannot_be_declared_void(customer: Customer) -> None:
    invoice = final(customer)
    payments.record_payment(invoice, 900, "bank-1", date(2026, 11, 9))

    with pytest.raises(BillingError, match="has payments"):
        billing.void(invoice, "Wrong address")
    with pytest.raises(ObjectDoesNotExist):
        _ = invoice.voiding


def test_a_change_of_version_and_a_leaving_split_the_month(customer: Customer, machine: Machine, plan: RatePlan) -> None:
    """12 days at 9.00 and 0.04, 10 days at 12.00 and 0.05, then gone."""
    turn, end = utc(2026, 10, 12, 22), utc(2026, 10, 22, 22)
    published({**FEE, "unit_price": "12.00"}, {**CPU, "unit_price": "0.05"}, since=turn)
    publishing.leave(customer.subscriptions.get(), end)
    used(machine, turn - timedelta(minutes=15), cpu_ms=100 * HOUR_MS)
    used(machine, turn, cpu_ms=100 * HOUR_MS)
    used(machine, end, cpu_ms=100 * HOUR_MS)

    lines = preview(customer, OCTOBER).lines

    assert [(line.name, line.plan_version, line.amount_minor) for line in lines] == [
        ("Base fee", 1, 348),
        ("CPU", 1, 400),
        ("Base fee", 2, 387),
        ("CPU", 2, 500),
    ]


def test_the_estimate_at_the_last_instant_is_the_invoice(customer: Customer, machine: Machine) -> None:
    for day in range(31):
        used(machine, OCTOBER.start + timedelta(days=day), cpu_ms=7 * HOUR_MS + day, net_tx=11 * 10**9)
    used(machine, OCTOBER.end - timedelta(minutes=15), cpu_ms=3 * HOUR_MS)

    last = estimate(customer, OCTOBER.end - timedelta(microseconds=1))
    invoice = final(customer)

    assert last.total_minor == invoice.total_minor == 900 + 880 + 241
    kept = [{key: value for key, value in line.derivation.items() if key != "days"} for line in invoice.lines.all()]
    assert [line.derivation for line in last.lines] == kept


def test_usage_that_no_published_price_covers_is_an_error_and_not_free(customer: Customer) -> None:
    customer.subscriptions.update(start=utc(2019, 1, 1))

    with pytest.raises(NoPriceError, match="'plan' has no published version in force on 2019-02-28"):
        estimate(customer, utc(2019, 3, 5))


def test_two_currencies_never_meet_on_one_invoice(customer: Customer) -> None:
    Customer.objects.update(currency="USD")
    customer.refresh_from_db()

    with pytest.raises(CurrencyError, match="priced in EUR, but the invoice is in USD"):
        billing.draft(customer, OCTOBER)


def test_after_a_move_to_another_zone_no_hour_is_billed_twice_or_never(customer: Customer) -> None:
    """October ended at midnight in Berlin; November begins there and ends at midnight in New York."""
    final(customer)
    customer.timezone = "America/New_York"
    customer.save()

    period = billing_period(customer, utc(2026, 11, 15))

    assert (period.start, period.end) == (OCTOBER.end, utc(2026, 12, 1, 5))
    with pytest.raises(BillingError, match="billed that period already"):
        billing.draft(customer, Period(utc(2026, 10, 1, 4), utc(2026, 11, 1, 4)))


def test_a_void_month_is_billed_anew_from_edge_to_edge_after_a_move_to_another_zone(plan: RatePlan, db: None) -> None:
    """October of Berlin was the first month, void, and lies across two months of New York; November is final."""
    customer = a_customer()
    subscribed(customer, plan, OCTOBER.start)
    first, _ = billing.close(customer, utc(2026, 12, 3))
    billing.void(first, "Wrong address")
    customer.timezone = "America/New_York"
    customer.save()

    anew = billing.close(customer, utc(2026, 12, 3))

    assert [(invoice.period_start, invoice.period_end, invoice.total_minor) for invoice in anew] == [
        (OCTOBER.start, OCTOBER.end, 900)
    ]
    assert billing.close(customer, utc(2026, 12, 3)) == []


def test_a_month_that_another_run_has_closed_holds_up_no_later_one(
    plan: RatePlan, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run finalises October between this one's look at the open months and its draft."""
    customer = a_customer()
    subscribed(customer, plan, OCTOBER.start)
    seen = calendar_of

    def seen_too_early(customer: Customer) -> Calendar:
        calendar = seen(customer)
        final(customer, OCTOBER)
        return calendar

    monkeypatch.setattr(billing, "calendar_of", seen_too_early)

    made = billing.close(customer, utc(2026, 12, 3))

    assert [(invoice.number, invoice.period_start) for invoice in made] == [("CH-2026-0002", NOVEMBER.start)]


def test_a_run_looks_once_at_the_calendar_however_many_months_there_are(
    plan: RatePlan, db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    customer = a_customer()
    subscribed(customer, plan, utc(2023, 10, 31, 23))

    with django_assert_num_queries(2):
        periods = list(calendar_of(customer).open_periods(utc(2026, 11, 2)))

    assert (len(periods), periods[0].start, periods[-1]) == (36, utc(2023, 10, 31, 23), OCTOBER)
