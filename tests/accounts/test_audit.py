"""The audit trail: whole, or the check says where it is not; nobody changes an entry, by whatever route."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts import append_only, audit
from accounts.models import AuditEntry, AuditHead
from tests.cast import PASSWORD, a_customer, a_member, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditentry SET actor = 'person:9'",
        "DELETE FROM accounts_auditentry",
        "UPDATE accounts_auditentry SET id = 7 WHERE id = 1",
    ],
)
def test_no_statement_changes_an_entry(statement: str) -> None:
    audit.record("key.issued", "key:1")

    with pytest.raises(DatabaseError, match="added, never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert AuditEntry.objects.get().actor == "system"


def test_the_orm_changes_none_either() -> None:
    entry = audit.record("key.issued", "key:1")

    with pytest.raises(DatabaseError), transaction.atomic():
        entry.delete()
    entry.actor = "person:9"
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.save()


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE accounts_auditentry SET actor = 'person:9' WHERE id = 2", "Entry 2 is not what was written."),
        ("DELETE FROM accounts_auditentry WHERE id = 2", "Entries 2 to 2 are missing."),
        ("DELETE FROM accounts_auditentry WHERE id = 3", "The newest entry is 2, the head says 3."),
    ],
)
def test_whoever_gets_past_the_triggers_is_found_out(tampering: str, fault: str) -> None:
    for number in range(3):
        audit.record("key.issued", f"key:{number}", after={"name": "Terraform"})
    assert list(audit.faults()) == []
    with _thawed(), connection.cursor() as cursor:
        cursor.execute(tampering)

    assert fault in list(audit.faults())


class _thawed:
    """The triggers aside, as somebody with the database's password could put them."""

    def __enter__(self) -> None:
        self._each(append_only.drop)

    def __exit__(self, *_: object) -> None:
        self._each(append_only.install)

    def _each(self, change: object) -> None:
        assert callable(change)
        change(_Editor(), "accounts_auditentry")


class _Editor:
    """As much of a schema editor as the triggers need, inside the test's own transaction."""

    connection = connection

    def execute(self, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_command_prints_the_head_and_holds_a_later_trail_against_it() -> None:
    audit.record("key.issued", "key:1")
    out = StringIO()
    call_command("verify_audit", stdout=out)
    head = out.getvalue().strip()
    audit.record("key.revoked", "key:1")

    call_command("verify_audit", "--expect", head, stdout=StringIO())
    with pytest.raises(CommandError, match="1 faults"):
        call_command("verify_audit", "--expect", f"1:{'0' * 64}", stdout=StringIO(), stderr=StringIO())

    assert head == f"1:{AuditEntry.objects.get(id=1).digest}"


def test_what_is_rolled_back_leaves_no_entry_and_no_gap() -> None:
    audit.record("key.issued", "key:1")
    with transaction.atomic():
        audit.record("key.issued", "key:2")
        transaction.set_rollback(True)
    audit.record("key.issued", "key:3")

    assert list(AuditEntry.objects.order_by("id").values_list("id", "target")) == [(1, "key:1"), (2, "key:3")]
    assert AuditHead.objects.get().last == 2


def test_a_sign_in_and_a_failed_one_say_who_and_where_from() -> None:
    olga = a_member(a_customer())
    Client(headers={"x-request-id": "call-7"}).post("/sign-in/", {"username": olga.email, "password": PASSWORD})
    Client().post("/sign-in/", {"username": olga.email, "password": "wrong"})

    failed, came = AuditEntry.objects.all()

    assert (came.action, came.actor, came.address, came.request_id) == ("signed-in", f"person:{olga.pk}", "127.0.0.1", "call-7")
    assert (failed.action, failed.actor) == ("sign-in.failed", "nobody")
    assert olga.email not in failed.target


def test_a_denial_is_kept() -> None:
    acme = a_customer()
    vera = a_member(acme, email="vera@acme.example", role="viewer")

    answer = signed_in(vera).get("/settings/keys/")

    assert answer.status_code == 403
    assert AuditEntry.objects.filter(action="denied", actor=f"person:{vera.pk}", customer_pk=acme.pk).count() == 1
