"""The days that PostgreSQL keeps samples in: made ahead, cut out of the default partition, dropped. On SQLite there are none.

Nothing here may stop ingest: whatever has no day of its own lands in the default partition. docs/decisions/0004 says why.
"""

from typing import Any

from django.db import connections, transaction

from usage.models import UsageSample
from usage.periods import from_ms
from usage.sql import is_postgres
from usage.wire import DAY_MS

SAMPLES = UsageSample._meta.db_table
DEFAULT = f"{SAMPLES}_default"
AHEAD_DAYS = 7
LOCK = 7412
PATIENCE = "10s"


def make_ahead(now_ms: int, using: str = "default") -> list[int]:
    """Make the days from today to a week ahead. Return those that were missing."""
    if not is_postgres(using):
        return []
    today = now_ms - now_ms % DAY_MS
    return [day for day in range(today, today + (AHEAD_DAYS + 1) * DAY_MS, DAY_MS) if make(day, using)]


def empty_default(using: str = "default") -> list[int]:
    """Give every day that landed in the default partition one of its own. Return those days."""
    if not is_postgres(using):
        return []
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT end_ms - end_ms % {DAY_MS} FROM {DEFAULT}")  # noqa: S608 names from the models
        days = sorted(day for (day,) in cursor.fetchall())
    return [day for day in days if make(day, using)]


def make(day_ms: int, using: str = "default") -> bool:
    """Make the partition of one UTC day, with what the default one holds of it. Return whether it was missing.

    Made beside the table and then attached, so that ingest into other days goes on meanwhile.
    """
    if not is_postgres(using) or day_ms in days(using):
        return False
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        wait_a_little(cursor)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if day_ms in days(using):
            return False
        name, end_ms = partition(day_ms), day_ms + DAY_MS
        cursor.execute(f"LOCK TABLE {DEFAULT} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"CREATE TABLE {name} (LIKE {SAMPLES} INCLUDING ALL)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {DEFAULT} WHERE end_ms >= {day_ms} AND end_ms < {end_ms} RETURNING *)"  # noqa: S608
            f" INSERT INTO {name} SELECT * FROM moved"
        )
        cursor.execute(f"ALTER TABLE {SAMPLES} ATTACH PARTITION {name} FOR VALUES FROM ({day_ms}) TO ({end_ms})")
    return True


def days(using: str = "default") -> list[int]:
    """Return the UTC days that have a partition, oldest first."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT substring(pg_get_expr(child.relpartbound, child.oid) FROM 'FROM \\(''?(\\d+)''?\\)')::int8"
            " FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
            " WHERE inhparent = %s::regclass AND pg_get_expr(child.relpartbound, child.oid) <> 'DEFAULT' ORDER BY 1",
            [SAMPLES],
        )
        return [day for (day,) in cursor.fetchall()]


def freeze(day_ms: int, using: str) -> None:
    """Inside a transaction: let nobody write into a day until it ends. Reading goes on, and so do the other days."""
    with connections[using].cursor() as cursor:
        wait_a_little(cursor)
        cursor.execute(f"LOCK TABLE {partition(day_ms)} IN SHARE MODE")


def drop(day_ms: int, using: str) -> None:
    """Inside a transaction: take a day out of the table and drop it."""
    with connections[using].cursor() as cursor:
        wait_a_little(cursor)
        cursor.execute(f"ALTER TABLE {SAMPLES} DETACH PARTITION {partition(day_ms)}")
        cursor.execute(f"DROP TABLE {partition(day_ms)}")


def partition(day_ms: int) -> str:
    """Return the name of a day's partition."""
    return f"{SAMPLES}_{from_ms(day_ms):%Y%m%d}"


def wait_a_little(cursor: Any) -> None:
    """Rather give up than queue before ingest: whoever waits for a table's lock makes everybody behind wait too."""
    cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
