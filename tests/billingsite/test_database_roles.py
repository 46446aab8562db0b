"""The database's roles: each does its work, and is refused what is another's."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils.timezone import now
from pytest_django import Settings

from accounts import notices, outbox, webhooks
from accounts.checks import the_database_knows_who_asks
from accounts.models import Mail, WebhookDelivery, WebhookEvent
from billingsite import database_roles, examination
from invoices import budgets, fleet, mailing, runs
from invoices.issued import Invoice
from tests.access_world import bill
from tests.cast import a_customer, a_machine, a_member
from tests.usage.build import DAY_MS, LIMITS, NOW_MS, TOPIC_ID, body, offset_row, raw, sample
from tests.walls import in_role, needs_postgres, roles
from usage import announcements, days, silences
from usage.early import store_due
from usage.ingest import store
from usage.models import RejectedMessage, UsageSample
from usage.offsets import Position

__all__ = ["roles"]
pytestmark = [pytest.mark.django_db, needs_postgres]

REFUSED = {
    "corehour_web": (
        "UPDATE usage_usagesample SET cpu_ms = 0",
        "DELETE FROM usage_usagesample",
        "TRUNCATE usage_usagesample",
        "SELECT * FROM usage_usagesample_default",
        "DELETE FROM usage_usagebucket",
        "UPDATE usage_ingestoffset SET next_offset = 0",
        "UPDATE invoices_payment SET amount_minor = 1",
        "DELETE FROM invoices_ledgerentry",
        "DELETE FROM accounts_auditentry",
        "UPDATE accounts_auditentry SET actor = 'nobody'",
        "DROP TRIGGER guard_invoice_frozen ON invoices_invoice",
        "ALTER TABLE invoices_invoice DISABLE TRIGGER ALL",
        "ALTER TABLE accounts_customer DISABLE ROW LEVEL SECURITY",
        "DROP POLICY corehour_seen ON accounts_customer",
        "CREATE OR REPLACE FUNCTION guard_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "SET LOCAL session_replication_role = replica",
        "SET LOCAL row_security = off; SELECT * FROM accounts_customer",
        "ALTER ROLE corehour_web BYPASSRLS",
        "CREATE TABLE of_my_own (id int)",
    ),
    "corehour_worker": (
        "SELECT * FROM invoices_invoice",
        "SELECT * FROM invoices_payment",
        "SELECT * FROM accounts_user",
        "SELECT * FROM accounts_membership",
        "SELECT * FROM accounts_apikey",
        "SELECT * FROM accounts_secondfactor",
        "SELECT * FROM django_session",
        "UPDATE usage_usagesample SET cpu_ms = 0",
        "DELETE FROM usage_usagesample",
        "DELETE FROM usage_usagebucket",
        "UPDATE accounts_customer SET name = ''",
        "SELECT corehour_ask('person', '1')",
    ),
    "corehour_biller": (
        "SELECT * FROM usage_usagesample",
        "INSERT INTO usage_usagebucket (machine_id, start_ms) VALUES (1, 0)",
        "UPDATE usage_machine SET customer_id = 1",
        "SELECT password FROM accounts_user",
        "SELECT * FROM django_session",
        "SELECT * FROM accounts_secondfactor",
        "SELECT * FROM usage_enrolmenttoken",
        "UPDATE accounts_customer SET name = ''",
        "UPDATE invoices_price SET price_nano = 0",
        "UPDATE invoices_payment SET amount_minor = 1",
        "SELECT corehour_ask('person', '1')",
    ),
}
ALLOWED = {
    "corehour_web": "SELECT count(*) FROM usage_usagesample",
    "corehour_worker": "SELECT count(*) FROM usage_usagesample",
    "corehour_biller": "SELECT count(*) FROM invoices_invoice",
}
SAID = r"permission denied|must be owner|must be able|policy"


def _run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("role", REFUSED)
def test_what_is_another_roles_is_refused(roles: None, role: str) -> None:
    with in_role(role):
        _run(ALLOWED[role])
        for statement in REFUSED[role]:
            with pytest.raises(DatabaseError, match=SAID):
                _run(statement)


def test_it_may_be_run_again_and_keeps_no_password_in_a_statement(roles: None) -> None:
    said: list[str] = []

    def listen(execute: object, sql: str, params: object, many: bool, context: object) -> object:
        said.append(sql)
        return execute(sql, params, many, context)  # type: ignore[operator]

    with connection.execute_wrapper(listen):
        given = database_roles.apply({"COREHOUR_WEB_PASSWORD": "a long pass-phrase of the web"})

    assert given == ["corehour_web"]
    assert not any("pass-phrase" in statement for statement in said)
    assert any("SCRAM-SHA-256$" in statement for statement in said)
    assert database_roles.gaps() == []


def test_a_role_that_passes_every_wall_is_refused(roles: None) -> None:
    _run("ALTER ROLE corehour_web BYPASSRLS")

    with pytest.raises(database_roles.RolesError, match="corehour_web may pass every wall"):
        database_roles.apply({})


def test_a_table_without_its_wall_is_named(roles: None) -> None:
    _run("ALTER TABLE invoices_invoice DISABLE ROW LEVEL SECURITY")

    assert database_roles.gaps() == ["invoices_invoice"]


def test_a_worker_stores_a_batch_and_tends_what_follows(roles: None) -> None:
    acme = a_customer("acme")
    machine = a_machine(acme, "web-1")
    webhooks.add(acme, "https://hooks.acme.example/", ["machine.silent", "usage.rejected"])
    acme.webhooks.update(created_at=now() - timedelta(days=3000))
    offset_row()
    position = Position("resource_usage", TOPIC_ID, 0, 0)
    with in_role("corehour_worker"):
        store(position, [raw(body(sample(0), sample(1))), raw(body(sample(0, cpu_ms=-1)), offset=1)], LIMITS)
        store(
            Position("resource_usage", TOPIC_ID, 0, 2), [raw(body(sample(0)), offset=2), raw(body(sample(2)), offset=3)], LIMITS
        )
        store_due()
        announcements.announce_silence(NOW_MS + 3_600_000)
        days.catch_up(datetime(2026, 12, 20, tzinfo=UTC))

    assert UsageSample.objects.filter(machine=machine).count() == 3
    assert RejectedMessage.objects.count() == 1
    assert WebhookEvent.objects.count() == 2
    assert machine.days.count() > 0


def test_a_biller_closes_months_and_writes_to_people(roles: None) -> None:
    acme, bolt = a_customer("acme", budget_minor=1), a_customer("bolt")
    bill(acme, bolt)
    a_member(acme)
    a_machine(acme, "still", last_seen_ms=2 * DAY_MS - 20 * 60_000)
    with in_role("corehour_biller"):
        items = [runs.work(pk, datetime(2025, 3, 15, tzinfo=UTC)) for pk in runs.begin()]
        mailing.remind()
        told = budgets.tell(), silences.tell(2 * DAY_MS), notices.tell_of_expiring_keys()
        fleet.record()
        due = outbox.claim()
        outbox.forget_old()

    assert [(item.state, item.reason) for item in items] == [("done", ""), ("done", "")]
    assert Invoice.objects.final().count() == 5
    assert Mail.objects.filter(kind=Mail.Kind.INVOICE).exists()
    assert told[1] == 1
    assert len(due) == WebhookDelivery.objects.count() > 0


def test_doctor_and_the_deployment_check_say_how_it_stands(settings: Settings) -> None:
    before = examination.wall(), [warning.id for warning in the_database_knows_who_asks(None)]
    call_command("database_roles", "--apply", stdout=io.StringIO())
    settings.DATABASE_WALL = True
    applied = examination.wall(), the_database_knows_who_asks(None)
    with in_role("corehour_web"):
        as_web = examination.wall()
    _run("ALTER TABLE invoices_invoice DISABLE ROW LEVEL SECURITY")
    with pytest.raises(examination.Ailment, match="missing before invoices_invoice") as ailment:
        examination.wall()
    call_command("database_roles", "--remove", stdout=io.StringIO())
    with pytest.raises(examination.Ailment, match="missing before every table"):
        examination.wall()

    assert before == ("none: every process connects as the owner of the tables, see docs/operating.md", ["accounts.W002"])
    assert applied == ("stands, but not before this process, which owns the tables", [])
    assert as_web == "stands"
    assert "database_roles --apply" in ailment.value.remedy


def test_what_is_printed_is_what_is_run_and_can_be_taken_back() -> None:
    said = io.StringIO()
    call_command("database_roles", stdout=said)

    _run(said.getvalue().removeprefix("BEGIN;\n").removesuffix("COMMIT;\n"))
    stood = database_roles.gaps()
    database_roles.remove()

    assert stood == []
    assert database_roles.gaps() is None
