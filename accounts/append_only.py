"""Triggers that let rows of a table be added and never changed or taken away, on SQLite and PostgreSQL alike."""

# ruff: noqa: S608 - every name in these statements is a constant of this product
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

MESSAGE = "Rows of this table are added, never changed."


def install(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Put the triggers on a table."""
    for statement in _postgres(table) if editor.connection.vendor == "postgresql" else _sqlite(table):
        editor.execute(statement)


def drop(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Take the triggers off a table, for a migration that alters it."""
    on = f" ON {table}" if editor.connection.vendor == "postgresql" else ""
    for event in ("update", "delete", "truncate", "replace"):
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_{event}{on}")


def _sqlite(table: str) -> list[str]:
    """REPLACE takes a row away without firing a DELETE trigger, so a number that is taken is refused too."""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    taken = f"WHEN EXISTS (SELECT 1 FROM {table} o WHERE o.id = NEW.id)"
    return [
        f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_replace BEFORE INSERT ON {table} {taken} {refuse}",
    ]


def _postgres(table: str) -> list[str]:
    function = f"{table}_append_only"
    body = f"BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END"
    run = f"EXECUTE FUNCTION {function}()"
    return [
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
        f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} FOR EACH ROW {run}",
        f"CREATE TRIGGER {table}_delete BEFORE DELETE ON {table} FOR EACH ROW {run}",
        f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {run}",
    ]
