"""Puts the roles and the second wall into the PostgreSQL that is connected, and says what of it is not there."""

from collections.abc import Mapping

from django.db import connection, transaction

from billingsite.wall_sql import BILLER, ROLES, WEB, WORKER, statements, statements_to_remove
from billingsite.walls import WALLED

PASSWORDS = {WEB: "COREHOUR_WEB_PASSWORD", WORKER: "COREHOUR_WORKER_PASSWORD", BILLER: "COREHOUR_BILLER_PASSWORD"}
TOO_MIGHTY = "rolsuper OR rolbypassrls OR rolcreaterole"


class RolesError(Exception):
    """Why there is no wall, as a sentence for the operator."""


def text() -> str:
    """All of it as SQL, for somebody with more rights to read and run. Passwords are not in it."""
    return "BEGIN;\n" + "".join(f"{statement};\n" for statement in statements(_schema())) + "COMMIT;\n"


@transaction.atomic
def apply(environment: Mapping[str, str]) -> list[str]:
    """Do all of it, or nothing. Return the roles that got the password which the environment names."""
    with connection.cursor() as cursor:
        for statement in statements(_schema()):
            cursor.execute(statement)
        given = [role for role, name in PASSWORDS.items() if environment.get(name)]
        for role in given:
            cursor.execute(f"ALTER ROLE {role} PASSWORD '{_verifier(role, environment[PASSWORDS[role]])}'")
        cursor.execute(f"SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND ({TOO_MIGHTY})", [list(ROLES)])  # noqa: S608
        mighty = [name for (name,) in cursor.fetchall()]
    if mighty:
        raise RolesError(f"{' and '.join(mighty)} may pass every wall: take SUPERUSER, BYPASSRLS and CREATEROLE away first.")
    return given


@transaction.atomic
def remove() -> None:
    """Take the wall down, and the roles' rights away."""
    with connection.cursor() as cursor:
        for statement in statements_to_remove(_schema()):
            cursor.execute(statement)


def _verifier(role: str, password: str) -> str:
    """What PostgreSQL keeps of a password, made here: the password itself is in no statement, and so in no log."""
    connection.ensure_connection()
    made: bytes = connection.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return made.decode()


def asked_as_owner() -> bool:
    """Whether whoever is connected owns the tables, or is above them, so that no wall stands before it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'accounts_customer'::regclass")
        return bool(cursor.fetchone()[0])


def gaps() -> list[str] | None:
    """Return the tables whose wall is not there, as after a migration. None where nobody has put up any."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('corehour_ask(text, text)') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.oid = ANY(%s::regclass[]) AND c.relrowsecurity"
            " AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'corehour_seen')",
            [[table.name for table in WALLED]],
        )
        standing = {name for (name,) in cursor.fetchall()}
    return [table.name for table in WALLED if table.name not in standing]


def _schema() -> str:
    if connection.vendor != "postgresql":
        raise RolesError("Roles and the second wall are PostgreSQL's; this installation uses SQLite.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'accounts_customer'::regclass")
        return str(cursor.fetchone()[0]).strip('"')
