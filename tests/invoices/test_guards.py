"""What is final stays as it is, even against raw SQL, on whichever engine the run is configured for."""

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Customer
from invoices import billing, guards, payments
from invoices.models import Invoice, InvoiceCounter, InvoiceLine, Payment, PlanVersion, Subscription, Voiding
from tests.invoices.rows import HOUR_MS, LONG_AGO, NOVEMBER, OCTOBER, used, utc
from usage.models import Machine

pytestmark = pytest.mark.django_db
FROZEN = guards.INVOICE_FROZEN
PUBLISHED = guards.VERSION_FROZEN


@pytest.fixture
def invoice(customer: Customer, machine: Machine) -> Invoice:
    """October, final: 9.00 and 100 core-hours for 4.00."""
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS, net_tx=150 * 10**9)
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    return billing.finalise(draft, utc(2026, 11, 2))


def refused(sql: str, message: str) -> None:
    """Run a statement that must fail for exactly this reason, and leave no trace."""
    with pytest.raises(IntegrityError, match=message), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE invoices_invoice SET total_minor = total_minor, customer_name = 'x'",
        "UPDATE invoices_invoice SET state = 'draft', number = NULL, finalised_at = NULL",
        "UPDATE invoices_invoiceline SET amount_minor = 1",
        "UPDATE invoices_invoiceline SET derivation = '{}'",
        "DELETE FROM invoices_invoiceline",
        "DELETE FROM invoices_invoice",
    ],
)
def test_a_final_invoice_refuses_change_by_raw_sql(invoice: Invoice, sql: str) -> None:
    refused(sql, FROZEN)

    assert list(invoice.lines.values_list("amount_minor", flat=True)) == [900, 400, 50]


def test_a_final_invoice_takes_no_further_line_and_a_draft_does(invoice: Invoice, customer: Customer) -> None:
    draft = Invoice.objects.get(pk=invoice.pk)
    draft.pk, draft.number, draft.state, draft.finalised_at = None, None, "draft", None
    draft.period_start = utc(2026, 1, 1)
    draft.save()
    line = invoice.lines.all()[0]
    line.pk, line.position = None, 99

    with pytest.raises(IntegrityError, match=FROZEN), transaction.atomic():
        line.save()
    line.invoice = draft
    line.save()

    assert (invoice.lines.count(), draft.lines.count()) == (3, 1)


def test_a_line_cannot_be_moved_out_of_a_final_invoice_or_into_one(invoice: Invoice) -> None:
    draft = Invoice.objects.get(pk=invoice.pk)
    draft.pk, draft.number, draft.state, draft.finalised_at, draft.attempt = None, None, "draft", None, 1
    draft.save()

    refused(f"UPDATE invoices_invoiceline SET invoice_id = {draft.pk} WHERE position = 1", FROZEN)  # noqa: S608


def test_an_invoice_whose_subtotal_is_not_the_sum_of_its_lines_cannot_become_final(customer: Customer, machine: Machine) -> None:
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    final = "state = 'finalised', number = 'X-1', finalised_at = '2026-11-02', issued_on = '2026-11-02', due_on = '2026-11-16'"

    refused(f"UPDATE invoices_invoice SET {final}, subtotal_minor = 1, total_minor = 1", "not the sum of the lines")  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE invoices_invoice SET {final}")  # noqa: S608

    assert Invoice.objects.get().number == "X-1"


def test_a_published_version_and_its_prices_refuse_change_and_a_draft_takes_it(customer: Customer) -> None:
    refused("UPDATE invoices_planversion SET effective_from = '2021-01-01'", PUBLISHED)
    refused("DELETE FROM invoices_tier", PUBLISHED)
    refused("UPDATE invoices_price SET price_nano = 1", PUBLISHED)
    refused("UPDATE invoices_tier SET price_nano = 1", PUBLISHED)
    published = PlanVersion.objects.get()
    price = published.prices.all()[0]
    price.pk, price.position = None, 9

    with pytest.raises(IntegrityError, match=PUBLISHED), transaction.atomic():
        price.save()
    price.version = PlanVersion.objects.create(plan=published.plan, number=2)
    price.save()

    assert price.version.prices.count() == 1


def test_a_plan_in_use_keeps_its_currency_and_may_change_its_name(customer: Customer) -> None:
    refused("UPDATE invoices_rateplan SET currency = 'USD'", "keeps its code")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE invoices_rateplan SET name = 'Other'")

    assert customer.subscriptions.get().plan.name == "Other"


def test_payments_and_voidings_are_added_to_final_invoices_and_never_changed(invoice: Invoice) -> None:
    payments.record_payment(invoice, 500, "bank-1", utc(2026, 11, 5).date())

    refused("UPDATE invoices_payment SET amount_minor = 5000", guards.APPEND_ONLY)
    refused("DELETE FROM invoices_payment", guards.APPEND_ONLY)

    assert Payment.objects.get().amount_minor == 500


def test_a_draft_can_neither_be_paid_nor_voided(customer: Customer, machine: Machine) -> None:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None

    with pytest.raises(IntegrityError, match="Only a finalised invoice is paid"), transaction.atomic():
        Payment.objects.create(invoice=draft, amount_minor=1, reference="x", received_on=utc(2026, 11, 5).date())
    with pytest.raises(IntegrityError, match="Only a finalised invoice is voided"), transaction.atomic():
        Voiding.objects.create(invoice=draft, reason="x")


def test_a_counter_steps_by_one_and_stays(invoice: Invoice) -> None:
    refused("UPDATE invoices_invoicecounter SET next_number = 7", "neither left out nor used twice")
    refused("UPDATE invoices_invoicecounter SET next_number = 1", "neither left out nor used twice")
    refused("DELETE FROM invoices_invoicecounter", guards.APPEND_ONLY)

    assert InvoiceCounter.objects.get().next_number == 2


def test_two_subscriptions_to_one_plan_may_touch_and_not_overlap(customer: Customer) -> None:
    first = customer.subscriptions.get()
    first.end = utc(2026, 10, 1)
    first.save()

    with pytest.raises(IntegrityError, match="overlap"), transaction.atomic():
        Subscription.objects.create(customer=customer, plan=first.plan, start=utc(2026, 9, 30, 23, 45))
    second = Subscription.objects.create(customer=customer, plan=first.plan, start=utc(2026, 10, 1))
    with pytest.raises(IntegrityError, match="overlap"), transaction.atomic():
        Subscription.objects.filter(pk=second.pk).update(start=LONG_AGO)

    assert customer.subscriptions.count() == 2


def columns(table: str, **changed: str) -> str:
    """The columns of a table, for a copy of its rows with some of them changed."""
    with connection.cursor() as cursor:
        names = [column.name for column in connection.introspection.get_table_description(cursor, table)]
    return ", ".join(changed.get(name, f'"{name}"') for name in names)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite has REPLACE")
@pytest.mark.parametrize(
    ("table", "changed", "message"),
    [
        ("invoices_invoice", {"customer_name": "'x'"}, FROZEN),
        ("invoices_invoice", {"id": "NULL", "state": "'draft'", "finalised_at": "NULL", "number": "NULL"}, FROZEN),
        ("invoices_invoice", {"id": "NULL", "attempt": "7"}, FROZEN),
        ("invoices_invoiceline", {"amount_minor": "1"}, FROZEN),
        ("invoices_planversion", {"effective_from": "'2021-01-01'"}, PUBLISHED),
        ("invoices_planversion", {"id": "NULL", "number": "9"}, PUBLISHED),
        ("invoices_price", {"price_nano": "1"}, PUBLISHED),
        ("invoices_tier", {"price_nano": "1"}, PUBLISHED),
        ("invoices_rateplan", {"currency": "'USD'"}, guards.PLAN_KEPT),
        ("invoices_payment", {"amount_minor": "1"}, guards.APPEND_ONLY),
        ("invoices_payment", {"id": "NULL"}, guards.APPEND_ONLY),
        ("invoices_invoicecounter", {"next_number": "1"}, guards.APPEND_ONLY),
    ],
)
def test_sqlite_replaces_no_frozen_row(invoice: Invoice, table: str, changed: dict[str, str], message: str) -> None:
    payments.record_payment(invoice, 500, "bank-1", utc(2026, 11, 5).date())

    refused(f"REPLACE INTO {table} SELECT {columns(table, **changed)} FROM {table}", message)  # noqa: S608


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite has REPLACE")
def test_sqlite_replaces_no_voiding(invoice: Invoice) -> None:
    billing.void(invoice, "Wrong address")

    refused(f"REPLACE INTO invoices_voiding SELECT {columns('invoices_voiding', id='NULL')} FROM invoices_voiding", "added")  # noqa: S608


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite has REPLACE")
def test_sqlite_moves_no_row_onto_a_frozen_one(invoice: Invoice, customer: Customer) -> None:
    draft = billing.draft(customer, NOVEMBER)
    assert draft is not None
    line, frozen = draft.lines.all()[0], invoice.lines.all()[0]
    InvoiceCounter.objects.create(series="OTHER")

    refused(f"UPDATE OR REPLACE invoices_invoice SET id = {invoice.pk} WHERE id = {draft.pk}", FROZEN)  # noqa: S608
    refused(f"UPDATE OR REPLACE invoices_invoiceline SET id = {frozen.pk} WHERE id = {line.pk}", FROZEN)  # noqa: S608
    refused(
        "UPDATE OR REPLACE invoices_invoicecounter SET series = 'CH-2026', next_number = 2 WHERE series = 'OTHER'",
        guards.APPEND_ONLY,
    )
    line.name = "Renamed"
    line.save()

    assert (invoice.lines.count(), draft.lines.filter(name="Renamed").count()) == (3, 1)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_postgresql_cannot_empty_a_table_of_final_invoices(invoice: Invoice) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # What the fixture left to check would be the reason otherwise.

    refused("TRUNCATE invoices_invoice CASCADE", guards.APPEND_ONLY)

    assert InvoiceLine.objects.count() == 3


def test_every_guard_is_there_after_all_migrations() -> None:
    names = "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'guard_%%'"
    if connection.vendor == "sqlite":
        names = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'guard_%%'"
    with connection.cursor() as cursor:
        cursor.execute(names)
        found = {name for (name,) in cursor.fetchall()}

    missing = [
        guard.name
        for guard in guards.guards_of(connection.vendor)
        if not any(name.startswith(f"guard_{guard.name}") for name in found)
    ]

    assert missing == []
