"""The statements of ingest, for both engines. Only `usage/ingest.py` calls them, inside its one transaction.

Table and column names come from the models; every value goes through a parameter.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from usage.buckets import Gains
from usage.classify import SampleKey, StreamKey
from usage.meters import QUANTITY_COLUMNS
from usage.models import DayMark, Machine, MachineStream, PrunedUsage, StreamRun, UsageBucket, UsageSample
from usage.overlaps import Metered, Span
from usage.portions import Portion
from usage.runs import Runs
from usage.wire import DAY_MS, MAX_INTERVAL_MS, Row

SAMPLES = UsageSample._meta.db_table
BUCKETS = UsageBucket._meta.db_table
MACHINES = Machine._meta.db_table
RUNS = StreamRun._meta.db_table
STREAMS = MachineStream._meta.db_table
PRUNED = PrunedUsage._meta.db_table
MARKS = DayMark._meta.db_table
KEY_COLUMNS = ("machine_id", "stream", "seq")
SAMPLE_COLUMNS = (*KEY_COLUMNS, "start_ms", "end_ms", *QUANTITY_COLUMNS)
ROW_COLUMNS = ("seq", "start_ms", "end_ms", *QUANTITY_COLUMNS)
GAIN_COLUMNS = ("covered_ms", "samples", *QUANTITY_COLUMNS)
VALUES_A_STATEMENT = 30_000  # SQLite takes 32,766 parameters, PostgreSQL 65,535.
# What a COPY sends of a UUID are its 16 bytes, and as bytes they are written several times as fast.
PG_TYPES = ("int8", "bytea", *("int8",) * 12)


def is_postgres(using: str) -> bool:
    """Whether this alias is PostgreSQL; otherwise it is SQLite."""
    return connections[using].vendor == "postgresql"


def with_codes(codes: Sequence[str], using: str) -> QuerySet[Machine]:
    """The machines with these codes.

    On PostgreSQL they are one parameter: to prepare a query with thousands takes longer than to run it.
    """
    machines = Machine.objects.using(using)
    if not is_postgres(using):
        return machines.filter(code__in=codes)
    condition = RawSQL(f"{MACHINES}.code = ANY(%s::text[])", [_array(codes)], output_field=BooleanField())  # noqa: S611 names from the models
    return machines.filter(condition)


def lock_machines(machines: Iterable[int], using: str) -> None:
    """Keep two workers from judging one machine at once, which only happens after partitions were added.

    SQLite has one writer anyway. The rows are taken in order, so that two batches cannot wait for each other. Rows, because
    of advisory locks PostgreSQL keeps a few thousand in all, and a batch may be of more machines than that.
    """
    if is_postgres(using):
        with connections[using].cursor() as cursor:
            cursor.execute(
                f"SELECT id FROM {MACHINES} WHERE id = ANY(%s::int8[]) ORDER BY id FOR NO KEY UPDATE",  # noqa: S608
                [sorted(set(machines))],
            )


def load_runs(streams: Iterable[StreamKey], using: str) -> dict[StreamKey, Runs]:
    """Return the runs received so far of each stream that has any."""
    asked = {key: key for key in streams}  # Answer with the caller's own keys: comparing UUIDs costs more than all else here.
    found: dict[StreamKey, list[tuple[int, int]]] = {}
    for part in chunks(sorted(asked), VALUES_A_STATEMENT // 2):
        for machine, stream, lo, hi in _select_runs(part, using):
            found.setdefault(asked[machine, stream], []).append((lo, hi))
    return {key: Runs(pairs) for key, pairs in found.items()}


def _select_runs(keys: Sequence[StreamKey], using: str) -> list[tuple[int, uuid.UUID, int, int]]:
    """CROSS JOIN makes SQLite look up each key, and not walk through all runs."""
    postgres = is_postgres(using)
    wanted = "SELECT * FROM unnest(%s::int8[], %s::uuid[])" if postgres else f"VALUES {', '.join(['(%s, %s)'] * len(keys))}"
    values = _arrays(keys) if postgres else [value for machine, stream in keys for value in (machine, stream.hex)]
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"WITH wanted (machine, name) AS ({wanted}) SELECT machine_id, stream, lo, hi"  # noqa: S608 names from the models
            f" FROM wanted CROSS JOIN {RUNS} WHERE machine_id = wanted.machine AND stream = wanted.name",
            values,
        )
        found = cursor.fetchall()
    return found if postgres else [(machine, uuid.UUID(stream), lo, hi) for machine, stream, lo, hi in found]


def load_streams(machines: Iterable[int], using: str) -> dict[StreamKey, Span]:
    """Return in which quarter hours each stream of these machines has metered so far."""
    wanted, postgres = sorted(machines), is_postgres(using)
    columns = f"SELECT machine_id, stream, since_ms, until_ms FROM {STREAMS} WHERE machine_id"  # noqa: S608 names from the models
    found: dict[StreamKey, Span] = {}
    with connections[using].cursor() as cursor:
        for part in chunks(wanted, VALUES_A_STATEMENT):
            marks = "= ANY(%s::int8[])" if postgres else f"IN ({', '.join(['%s'] * len(part))})"
            cursor.execute(f"{columns} {marks}", [list(part)] if postgres else part)
            for machine, stream, since_ms, until_ms in cursor.fetchall():
                found[machine, stream if postgres else uuid.UUID(stream)] = since_ms, until_ms
    return found


def load_day_marks(machines: Collection[int], oldest_ms: int, using: str) -> dict[int, tuple[str, int]]:
    """Return zone and end of the summed days, where these machines have some that end after `oldest_ms`."""
    postgres = is_postgres(using)
    found: dict[int, tuple[str, int]] = {}
    with connections[using].cursor() as cursor:
        for part in chunks(sorted(machines), VALUES_A_STATEMENT):
            marks = "= ANY(%s::int8[])" if postgres else f"IN ({', '.join(['%s'] * len(part))})"
            cursor.execute(
                f"SELECT machine_id, zone, until_ms FROM {MARKS} WHERE until_ms > %s AND machine_id {marks}",  # noqa: S608 names from the models
                [oldest_ms, _array(part)] if postgres else [oldest_ms, *part],
            )
            found |= {machine: (zone, until_ms) for machine, zone, until_ms in cursor.fetchall()}
    return found


def load_metered(machines: Mapping[int, Span], using: str) -> dict[int, Metered]:
    """Return the time that each stream of these machines has metered within its machine's span."""
    found: dict[int, Metered] = {}
    for machine, (start, end) in machines.items():
        metered = found[machine] = Metered()
        samples = UsageSample.objects.using(using).filter(machine_id=machine, start_ms__lt=end)
        near = samples.filter(end_ms__gt=start, end_ms__lt=end + MAX_INTERVAL_MS).values_list("stream", "start_ms", "end_ms")
        for stream, start_ms, end_ms in near:
            if start_ms < end_ms:  # A version 0 reading meters no time.
                metered.add(stream, [(start_ms, end_ms)])
        pruned = PrunedUsage.objects.using(using).filter(machine_id=machine, covered_ms__gt=0)
        metered.pruned = set(pruned.filter(day_ms__gt=start - DAY_MS, day_ms__lt=end).values_list("stream", "day_ms"))
    return found


def save_streams(streams: Mapping[StreamKey, Span], late: Mapping[StreamKey, int], using: str) -> None:
    """Write in which quarter hours these streams have metered, and add to their late samples."""
    rows = [(*key, *streams[key], late.get(key, 0)) for key in sorted(streams)]
    columns = {"machine_id": "int8", "stream": "uuid", "since_ms": "int8", "until_ms": "int8", "late_samples": "int8"}
    hull = "since_ms = excluded.since_ms, until_ms = excluded.until_ms"
    changes = f"{hull}, late_samples = {STREAMS}.late_samples + excluded.late_samples"
    _upsert(STREAMS, columns, rows, f"(machine_id, stream) DO UPDATE SET {changes}", using)


def load_rows(keys: Iterable[SampleKey], using: str) -> dict[SampleKey, Row]:
    """Return the stored rows under these keys; what was pruned is missing."""
    by_stream: dict[StreamKey, list[int]] = {}
    for machine, stream, seq in keys:
        by_stream.setdefault((machine, stream), []).append(seq)
    found: dict[SampleKey, Row] = {}
    for (machine, stream), seqs in by_stream.items():
        for part in chunks(seqs, VALUES_A_STATEMENT):
            rows = UsageSample.objects.using(using).filter(machine_id=machine, stream=stream, seq__in=part)
            for values in rows.values_list(*ROW_COLUMNS):
                found[machine, stream, values[0]] = Row(*values)
    return found


def insert_samples(new: Sequence[Portion], using: str, meanwhile: Callable[[], None] | None = None) -> Sequence[Portion]:
    """Insert the rows that are not there yet and return those. The unique key is the second wall behind the runs.

    `meanwhile` is called when the database has got the rows, and has its hands full.

    The runs have told already what is new, so all rows go in at once; only where the wall stands in the way, in spite
    of the runs, are they taken back and sorted out one by one.
    """
    if not new:
        return new
    try:
        with transaction.atomic(using=using):
            _insert_all(new, using, meanwhile)
        return new
    except IntegrityError:
        inserted: dict[StreamKey, set[int]] = {}
        for machine, stream, seq in _copy_missing(new, using) if is_postgres(using) else _insert_missing(new, using):
            inserted.setdefault((machine, stream), set()).add(seq)
        parts = [portion.only(inserted.get(portion.key, ())) for portion in new]
        return [part for part in parts if part.rows]


def _insert_all(new: Sequence[Portion], using: str, meanwhile: Callable[[], None] | None) -> None:
    columns = ", ".join(SAMPLE_COLUMNS)
    with connections[using].cursor() as cursor:
        if is_postgres(using):
            if _takes_copy(cursor):
                _copy(cursor, f"{SAMPLES} ({columns})", new, using, meanwhile)
            else:
                _copy_aside(cursor, new, using, meanwhile)
                cursor.execute(f"INSERT INTO {SAMPLES} ({columns}) SELECT {columns} FROM incoming")  # noqa: S608 names from the models
            return
        values = ", ".join(["%s"] * len(SAMPLE_COLUMNS))
        insert = f"INSERT INTO {SAMPLES} ({columns}) VALUES ({values})"  # noqa: S608 names from the models
        cursor.executemany(insert, _sqlite_rows(new))  # type: ignore[arg-type] # Django takes any iterable
    if meanwhile is not None:
        meanwhile()


def _takes_copy(cursor: Any) -> bool:
    """Whether COPY may write the samples. PostgreSQL refuses it to a role that has a policy, even one that allows all."""
    cursor.execute("SELECT NOT row_security_active(%s)", [SAMPLES])
    return bool(cursor.fetchone()[0])


def _copy_aside(cursor: Any, new: Iterable[Portion], using: str, meanwhile: Callable[[], None] | None = None) -> None:
    """COPY into the temporary table `incoming`, which then holds these rows alone."""
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE {SAMPLES}) ON COMMIT DELETE ROWS")
    cursor.execute("TRUNCATE incoming")
    _copy(cursor, f"incoming ({', '.join(SAMPLE_COLUMNS)})", new, using, meanwhile)


def _copy(cursor: Any, target: str, new: Iterable[Portion], using: str, meanwhile: Callable[[], None] | None = None) -> None:
    """COPY is psycopg's own, so its errors are made Django's here. What was sent is taken in while `meanwhile` goes on."""
    with connections[using].wrap_database_errors, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(PG_TYPES)
        write = copy.write_row
        for portion in new:
            key = (portion.machine, portion.stream.bytes)
            for row in portion.rows:
                write(key + row)
        if meanwhile is not None:
            meanwhile()


def _sqlite_rows(new: Iterable[Portion]) -> Iterator[tuple[Any, ...]]:
    for portion in new:
        key = (portion.machine, portion.stream.hex)
        for row in portion.rows:
            yield key + row


def _copy_missing(new: Iterable[Portion], using: str) -> list[SampleKey]:
    columns = ", ".join(SAMPLE_COLUMNS)
    with connections[using].cursor() as cursor:
        _copy_aside(cursor, new, using)
        cursor.execute(
            f"INSERT INTO {SAMPLES} ({columns}) SELECT {columns} FROM incoming"  # noqa: S608 names from the models
            f" ON CONFLICT DO NOTHING RETURNING {', '.join(KEY_COLUMNS)}"
        )
        return [(machine, stream, seq) for machine, stream, seq in cursor.fetchall()]


def _insert_missing(new: Iterable[Portion], using: str) -> list[SampleKey]:
    inserted: list[SampleKey] = []
    group = f"({', '.join(['%s'] * len(SAMPLE_COLUMNS))})"
    with connections[using].cursor() as cursor:
        for part in chunks(list(_sqlite_rows(new)), VALUES_A_STATEMENT // len(SAMPLE_COLUMNS)):
            cursor.execute(
                f"INSERT INTO {SAMPLES} ({', '.join(SAMPLE_COLUMNS)}) VALUES {', '.join([group] * len(part))}"  # noqa: S608 names from the models
                f" ON CONFLICT DO NOTHING RETURNING {', '.join(KEY_COLUMNS)}",
                [value for row in part for value in row],
            )
            inserted += [(machine, uuid.UUID(stream), seq) for machine, stream, seq in cursor.fetchall()]
    return inserted


def add_to_buckets(gains: Gains, using: str) -> None:
    """Add to the quarter hours, in key order so that two workers cannot wait for each other."""
    updates = ", ".join(f"{column} = {BUCKETS}.{column} + excluded.{column}" for column in GAIN_COLUMNS)
    columns = ("machine_id", "start_ms", *GAIN_COLUMNS)
    _upsert(
        BUCKETS,
        dict.fromkeys(columns, "int8"),
        [(*key, *gains[key]) for key in sorted(gains)],
        f"(machine_id, start_ms) DO UPDATE SET {updates}",
        using,
    )


def set_buckets(amounts: Gains, using: str) -> None:
    """Make quarter hours hold exactly these amounts, whatever they held."""
    updates = ", ".join(f"{column} = excluded.{column}" for column in GAIN_COLUMNS)
    columns = dict.fromkeys(("machine_id", "start_ms", *GAIN_COLUMNS), "int8")
    rows = [(*key, *amounts[key]) for key in sorted(amounts)]
    _upsert(BUCKETS, columns, rows, f"(machine_id, start_ms) DO UPDATE SET {updates}", using)


def add_pruned(amounts: Mapping[tuple[int, uuid.UUID, int], list[int]], using: str) -> None:
    """Add to what the pruned samples of (machine, stream) gave to a day."""
    updates = ", ".join(f"{column} = {PRUNED}.{column} + excluded.{column}" for column in GAIN_COLUMNS)
    columns = {"machine_id": "int8", "stream": "uuid", "day_ms": "int8", **dict.fromkeys(GAIN_COLUMNS, "int8")}
    rows = [(*key, *amounts[key]) for key in sorted(amounts)]
    _upsert(PRUNED, columns, rows, f"(machine_id, stream, day_ms) DO UPDATE SET {updates}", using)


RunPairs = Mapping[StreamKey, list[tuple[int, int]]]


def save_runs(before: RunPairs, after: RunPairs, using: str) -> None:
    """Write what the batch changed: runs joined into others go, the others are inserted or lengthened."""
    changed: list[tuple[int, uuid.UUID, int, int]] = []
    for (machine, stream), pairs in after.items():
        known, kept = dict(before.get((machine, stream), [])), {lo for lo, _ in pairs}
        for part in chunks([lo for lo in known if lo not in kept], VALUES_A_STATEMENT):
            StreamRun.objects.using(using).filter(machine_id=machine, stream=stream, lo__in=part).delete()
        changed += [(machine, stream, lo, hi) for lo, hi in pairs if known.get(lo) != hi]
    columns = {"machine_id": "int8", "stream": "uuid", "lo": "int8", "hi": "int8"}
    _upsert(RUNS, columns, changed, "(machine_id, stream, lo) DO UPDATE SET hi = excluded.hi", using)


def see_machines(seen: Mapping[int, tuple[int, int, int, int | None]], using: str) -> None:
    """Note what each machine (pk) last reported: (newest end_ms, cores, MiB; 0 where the format does not say; clock's skew).

    A batch that is older than what is known changes nothing. A skew that is not known leaves the last one.
    """
    rows = [(pk, *seen[pk]) for pk in sorted(seen)]
    if not rows:
        return
    postgres = is_postgres(using)
    arrays = ", ".join(["%s::int8[]"] * 5)
    new = (
        f"unnest({arrays}) AS new (pk, at, cores, mib, skew)"
        if postgres
        else "(SELECT %s AS pk, %s AS at, %s AS cores, %s AS mib, %s AS skew) AS new"
    )
    statement = (
        f"UPDATE {MACHINES} SET last_seen_ms = new.at, cores = CASE WHEN new.cores > 0 THEN new.cores ELSE {MACHINES}.cores END,"  # noqa: S608 names from the models
        f" memory_mib = CASE WHEN new.mib > 0 THEN new.mib ELSE {MACHINES}.memory_mib END,"
        f" clock_skew_ms = COALESCE(new.skew, {MACHINES}.clock_skew_ms)"
        f" FROM {new} WHERE id = new.pk AND last_seen_ms < new.at"
    )
    with connections[using].cursor() as cursor:
        if postgres:
            cursor.execute(statement, _arrays(rows))
        else:
            cursor.executemany(statement, rows)


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield the items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _upsert(table: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]], conflict: str, using: str) -> None:
    """Insert rows of these columns (name to PostgreSQL's type), or do as `conflict` says where one is there already."""
    if not rows:
        return
    head = f"INSERT INTO {table} ({', '.join(columns)})"
    with connections[using].cursor() as cursor:
        if is_postgres(using):
            arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
            cursor.execute(f"{head} SELECT * FROM unnest({arrays}) ON CONFLICT {conflict}", _arrays(rows))  # noqa: S608 names from the models
        else:
            values = ", ".join(["%s"] * len(columns))
            plain = [[value.hex if isinstance(value, uuid.UUID) else value for value in row] for row in rows]
            cursor.executemany(f"{head} VALUES ({values}) ON CONFLICT {conflict}", plain)


def _arrays(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """The columns of these rows as PostgreSQL writes arrays. Only for numbers and UUIDs, which need no quotes."""
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(values: Iterable[Any]) -> str:
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"
