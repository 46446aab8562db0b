"""Triggers that keep what must never change, on SQLite and PostgreSQL alike, against the ORM and raw SQL.

SQLite drops a table's triggers when a migration rebuilds the table, and refuses to rebuild one that another table's
trigger names. So a migration that alters a table named here begins with `RunPython(guards.drop)` and ends with
`RunPython(guards.install)`.
"""

# ruff: noqa: S608 - every name in these statements is a constant of this module
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

INVOICE_FROZEN = "A finalised invoice never changes."
VERSION_FROZEN = "A published plan version never changes."
PLAN_KEPT = "A plan with a published version keeps its code."
APPEND_ONLY = "Rows of this table are added, never changed."


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuse `events` on a table where `when` holds. `when` is SQL that both engines read, over OLD and NEW."""

    name: str
    table: str
    events: tuple[str, ...]
    when: str
    message: str


def _invoice_of(row: str) -> str:
    return f"EXISTS (SELECT 1 FROM invoices_invoice i WHERE i.id = {row}.invoice_id AND i.state = 'finalised')"


def _version_of(row: str) -> str:
    return f"EXISTS (SELECT 1 FROM invoices_planversion v WHERE v.id = {row}.version_id AND v.state = 'published')"


def _price_of(row: str) -> str:
    return (
        "EXISTS (SELECT 1 FROM invoices_price p JOIN invoices_planversion v ON v.id = p.version_id"
        f" WHERE p.id = {row}.price_id AND v.state = 'published')"
    )


_OVERLAP = (
    "EXISTS (SELECT 1 FROM invoices_subscription s WHERE s.customer_id = NEW.customer_id AND s.plan_id = NEW.plan_id"
    ' AND (NEW."end" IS NULL OR s.start < NEW."end") AND (s."end" IS NULL OR s."end" > NEW.start)'
)
_LINES_DIFFER = (
    "OLD.state = 'draft' AND NEW.state = 'finalised' AND NEW.subtotal_minor <>"
    " (SELECT COALESCE(SUM(l.amount_minor), 0) FROM invoices_invoiceline l WHERE l.invoice_id = OLD.id)"
)
_PLAN_IN_USE = (
    "(OLD.currency <> NEW.currency OR OLD.code <> NEW.code) AND"
    " EXISTS (SELECT 1 FROM invoices_planversion v WHERE v.plan_id = OLD.id AND v.state = 'published')"
)
_WALLET_SHORT = (
    "NEW.debit = 'wallet' AND NEW.amount_minor > (SELECT COALESCE(SUM(CASE WHEN e.credit = 'wallet' THEN e.amount_minor"
    " ELSE -e.amount_minor END), 0) FROM invoices_ledgerentry e WHERE e.customer_id = NEW.customer_id"
    " AND e.currency = NEW.currency AND 'wallet' IN (e.debit, e.credit))"
)
_CREDITED_TOO_MUCH = (
    "NEW.total_minor + (SELECT COALESCE(SUM(c.total_minor), 0) FROM invoices_creditnote c WHERE c.invoice_id = NEW.invoice_id)"
    " > (SELECT i.total_minor + i.credit_minor FROM invoices_invoice i WHERE i.id = NEW.invoice_id)"
)
_ITEM_BILLED = (
    "EXISTS (SELECT 1 FROM invoices_invoiceline l JOIN invoices_invoice i ON i.id = l.invoice_id"
    " WHERE l.charge_key = 'one-off/' || OLD.id AND i.state = 'finalised')"
)


GUARDS = (
    Guard("invoice_frozen", "invoices_invoice", ("UPDATE", "DELETE"), "OLD.state = 'finalised'", INVOICE_FROZEN),
    Guard("invoice_sums", "invoices_invoice", ("UPDATE",), _LINES_DIFFER, "The subtotal is not the sum of the lines."),
    Guard("line_frozen", "invoices_invoiceline", ("UPDATE", "DELETE"), _invoice_of("OLD"), INVOICE_FROZEN),
    Guard("line_closed", "invoices_invoiceline", ("INSERT", "UPDATE"), _invoice_of("NEW"), INVOICE_FROZEN),
    Guard("version_frozen", "invoices_planversion", ("UPDATE", "DELETE"), "OLD.state = 'published'", VERSION_FROZEN),
    Guard("price_frozen", "invoices_price", ("UPDATE", "DELETE"), _version_of("OLD"), VERSION_FROZEN),
    Guard("price_closed", "invoices_price", ("INSERT", "UPDATE"), _version_of("NEW"), VERSION_FROZEN),
    Guard("tier_frozen", "invoices_tier", ("UPDATE", "DELETE"), _price_of("OLD"), VERSION_FROZEN),
    Guard("tier_closed", "invoices_tier", ("INSERT", "UPDATE"), _price_of("NEW"), VERSION_FROZEN),
    Guard("plan_in_use", "invoices_rateplan", ("UPDATE",), _PLAN_IN_USE, PLAN_KEPT),
    Guard("payment_kept", "invoices_payment", ("UPDATE", "DELETE"), "1 = 1", APPEND_ONLY),
    Guard("payment_final", "invoices_payment", ("INSERT",), f"NOT {_invoice_of('NEW')}", "Only a finalised invoice is paid."),
    Guard("voiding_kept", "invoices_voiding", ("UPDATE", "DELETE"), "1 = 1", APPEND_ONLY),
    Guard("voiding_final", "invoices_voiding", ("INSERT",), f"NOT {_invoice_of('NEW')}", "Only a finalised invoice is voided."),
    Guard("ledger_kept", "invoices_ledgerentry", ("UPDATE", "DELETE"), "1 = 1", APPEND_ONLY),
    Guard("ledger_wallet", "invoices_ledgerentry", ("INSERT",), _WALLET_SHORT, "The wallet does not hold that much."),
    Guard("note_kept", "invoices_creditnote", ("UPDATE", "DELETE"), "1 = 1", APPEND_ONLY),
    Guard("note_final", "invoices_creditnote", ("INSERT",), f"NOT {_invoice_of('NEW')}", "Only a finalised invoice is credited."),
    Guard("note_limit", "invoices_creditnote", ("INSERT",), _CREDITED_TOO_MUCH, "No more is credited than was billed."),
    Guard("item_kept", "invoices_oneoffitem", ("UPDATE", "DELETE"), _ITEM_BILLED, INVOICE_FROZEN),
    Guard("spot_kept", "invoices_spotprice", ("UPDATE", "DELETE"), "1 = 1", APPEND_ONLY),
    Guard("counter_kept", "invoices_invoicecounter", ("DELETE",), "1 = 1", APPEND_ONLY),
    Guard(
        "counter_steps",
        "invoices_invoicecounter",
        ("UPDATE",),
        "NEW.next_number <> OLD.next_number + 1",
        "An invoice number is neither left out nor used twice.",
    ),
    Guard("subscription_new", "invoices_subscription", ("INSERT",), f"{_OVERLAP})", "Two subscriptions to one plan overlap."),
    Guard(
        "subscription_moved",
        "invoices_subscription",
        ("UPDATE",),
        f"{_OVERLAP} AND s.id <> OLD.id)",
        "Two subscriptions to one plan overlap.",
    ),
)


def _in_the_way(table: str, frozen: str, *keys: str) -> str:
    """Whether a frozen row holds a unique key of NEW."""
    same = " OR ".join(keys)
    return f"EXISTS (SELECT 1 FROM {table} o WHERE ({same}) AND {frozen})"


_INVOICE_IN_THE_WAY = _in_the_way(
    "invoices_invoice",
    "o.state = 'finalised'",
    "o.id = NEW.id",
    "o.number = NEW.number",
    "o.customer_id = NEW.customer_id AND o.period_start = NEW.period_start AND o.attempt = NEW.attempt",
)
_VERSION_IN_THE_WAY = _in_the_way(
    "invoices_planversion",
    "o.state = 'published'",
    "o.id = NEW.id",
    "o.plan_id = NEW.plan_id AND o.number = NEW.number",
    "o.plan_id = NEW.plan_id AND o.effective_from = NEW.effective_from AND NEW.state = 'published'",
)
_PLAN_IN_THE_WAY = _in_the_way(
    "invoices_rateplan",
    "EXISTS (SELECT 1 FROM invoices_planversion v WHERE v.plan_id = o.id AND v.state = 'published')",
    "o.id = NEW.id",
    "o.code = NEW.code",
)
_LINE_IN_THE_WAY = _in_the_way("invoices_invoiceline", _invoice_of("o"), "o.id = NEW.id")
_PRICE_IN_THE_WAY = _in_the_way("invoices_price", _version_of("o"), "o.id = NEW.id")
_TIER_IN_THE_WAY = _in_the_way("invoices_tier", _price_of("o"), "o.id = NEW.id")
_PAYMENT_IN_THE_WAY = _in_the_way(
    "invoices_payment", "1 = 1", "o.id = NEW.id", "o.invoice_id = NEW.invoice_id AND o.reference = NEW.reference"
)
_VOIDING_IN_THE_WAY = _in_the_way("invoices_voiding", "1 = 1", "o.id = NEW.id", "o.invoice_id = NEW.invoice_id")
_COUNTER_IN_THE_WAY = _in_the_way("invoices_invoicecounter", "1 = 1", "o.series = NEW.series")
_ENTRY_IN_THE_WAY = _in_the_way(
    "invoices_ledgerentry",
    "1 = 1",
    "o.id = NEW.id",
    "o.customer_id = NEW.customer_id AND o.kind = NEW.kind AND o.reference = NEW.reference"
    " AND o.debit = NEW.debit AND o.credit = NEW.credit",
)
_SPOT_IN_THE_WAY = _in_the_way("invoices_spotprice", "1 = 1", "o.id = NEW.id", "o.market = NEW.market AND o.at = NEW.at")
_NOTE_IN_THE_WAY = _in_the_way("invoices_creditnote", "1 = 1", "o.id = NEW.id", "o.number = NEW.number")

# SQLite's REPLACE and UPDATE OR REPLACE take away the row that is in the way, and no DELETE trigger fires.
SQLITE_GUARDS = tuple(
    Guard(f"{name}_{'taken' if event == 'INSERT' else 'hit'}", table, (event,), when, message)
    for name, table, key, in_the_way, message in (
        ("invoice", "invoices_invoice", "id", _INVOICE_IN_THE_WAY, INVOICE_FROZEN),
        ("line", "invoices_invoiceline", "id", _LINE_IN_THE_WAY, INVOICE_FROZEN),
        ("version", "invoices_planversion", "id", _VERSION_IN_THE_WAY, VERSION_FROZEN),
        ("price", "invoices_price", "id", _PRICE_IN_THE_WAY, VERSION_FROZEN),
        ("tier", "invoices_tier", "id", _TIER_IN_THE_WAY, VERSION_FROZEN),
        ("plan", "invoices_rateplan", "id", _PLAN_IN_THE_WAY, PLAN_KEPT),
        ("payment", "invoices_payment", "id", _PAYMENT_IN_THE_WAY, APPEND_ONLY),
        ("voiding", "invoices_voiding", "id", _VOIDING_IN_THE_WAY, APPEND_ONLY),
        ("entry", "invoices_ledgerentry", "id", _ENTRY_IN_THE_WAY, APPEND_ONLY),
        ("note", "invoices_creditnote", "id", _NOTE_IN_THE_WAY, APPEND_ONLY),
        ("spot", "invoices_spotprice", "id", _SPOT_IN_THE_WAY, APPEND_ONLY),
        ("counter", "invoices_invoicecounter", "series", _COUNTER_IN_THE_WAY, APPEND_ONLY),
    )
    for event, when in (("INSERT", in_the_way), ("UPDATE", f"{in_the_way[:-1]} AND o.{key} <> OLD.{key})"))
)


def guards_of(vendor: str) -> tuple[Guard, ...]:
    """Return the guards of an engine."""
    return (*GUARDS, *SQLITE_GUARDS) if vendor == "sqlite" else GUARDS


# PostgreSQL empties a table without firing row triggers; refuse that too where a row in it is frozen.
_FROZEN_ROWS = {
    "invoices_invoice": "state = 'finalised'",
    "invoices_invoiceline": "EXISTS (SELECT 1 FROM invoices_invoice i WHERE i.state = 'finalised')",
    "invoices_planversion": "state = 'published'",
    "invoices_payment": "1 = 1",
    "invoices_voiding": "1 = 1",
    "invoices_ledgerentry": "1 = 1",
    "invoices_creditnote": "1 = 1",
    "invoices_spotprice": "1 = 1",
    "invoices_invoicecounter": "1 = 1",
}
# PostgreSQL's statements do not see what another session has not committed. A guard that reads other rows first waits
# for whoever is changing them: two subscribe at once, or a line is added while its invoice is finalised.
_LOCK = {
    "invoices_subscription": "PERFORM 1 FROM accounts_customer WHERE id = NEW.customer_id FOR UPDATE;",
    "invoices_invoiceline": "PERFORM 1 FROM invoices_invoice WHERE id IN (OLD.invoice_id, NEW.invoice_id) FOR SHARE;",
    "invoices_ledgerentry": "IF NEW.debit = 'wallet' THEN"
    " PERFORM 1 FROM accounts_customer WHERE id = NEW.customer_id FOR UPDATE; END IF;",
    "invoices_creditnote": "PERFORM 1 FROM invoices_invoice WHERE id = NEW.invoice_id FOR UPDATE;",
    "invoices_price": "PERFORM 1 FROM invoices_planversion WHERE id IN (OLD.version_id, NEW.version_id) FOR SHARE;",
    "invoices_tier": "PERFORM 1 FROM invoices_planversion v JOIN invoices_price p ON p.version_id = v.id"
    " WHERE p.id IN (OLD.price_id, NEW.price_id) FOR SHARE OF v;",
}


def install(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make every trigger whose table exists. Takes `apps` to serve as a step of a migration."""
    drop(apps, schema_editor)
    with schema_editor.connection.cursor() as cursor:
        present = set(schema_editor.connection.introspection.table_names(cursor))
    statements = _postgres if schema_editor.connection.vendor == "postgresql" else _sqlite
    for guard in guards_of(schema_editor.connection.vendor):
        if guard.table in present:
            for statement in statements(guard):
                schema_editor.execute(statement, params=None)
    if schema_editor.connection.vendor == "postgresql":
        for table, frozen in _FROZEN_ROWS.items():
            for statement in _postgres_truncate(table, frozen) if table in present else ():
                schema_editor.execute(statement, params=None)


def drop(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Remove every trigger of ours, and on PostgreSQL the functions they call."""
    if schema_editor.connection.vendor == "postgresql":
        names = [guard.name for guard in GUARDS] + [f"{table}_truncate" for table in _FROZEN_ROWS]
        for name in names:
            schema_editor.execute(f"DROP FUNCTION IF EXISTS guard_{name}() CASCADE", params=None)
        return
    for guard in guards_of(schema_editor.connection.vendor):
        for event in guard.events:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS guard_{guard.name}_{event.lower()}", params=None)


def _sqlite(guard: Guard) -> list[str]:
    return [
        f"CREATE TRIGGER guard_{guard.name}_{event.lower()} BEFORE {event} ON {guard.table} FOR EACH ROW"
        f" WHEN {guard.when} BEGIN SELECT RAISE(ABORT, '{guard.message}'); END"
        for event in guard.events
    ]


def _postgres(guard: Guard) -> list[str]:
    """One function per guard; an integrity error, as in SQLite, so that Django raises the same exception."""
    body = (
        f"CREATE FUNCTION guard_{guard.name}() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN {_LOCK.get(guard.table, '')}"
        f" IF {guard.when} THEN RAISE EXCEPTION '{guard.message}' USING ERRCODE = 'integrity_constraint_violation'; END IF;"
        f" IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $guard$"
    )
    trigger = (
        f"CREATE TRIGGER guard_{guard.name} BEFORE {' OR '.join(guard.events)} ON {guard.table}"
        f" FOR EACH ROW EXECUTE FUNCTION guard_{guard.name}()"
    )
    return [body, trigger]


def _postgres_truncate(table: str, frozen: str) -> list[str]:
    return [
        f"CREATE FUNCTION guard_{table}_truncate() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN"
        f" IF EXISTS (SELECT 1 FROM {table} WHERE {frozen}) THEN"
        f" RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NULL; END $guard$",
        f"CREATE TRIGGER guard_{table}_truncate BEFORE TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION guard_{table}_truncate()",
    ]
