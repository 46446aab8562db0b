"""The statements of ingest, for both engines. Only `usage/ingest.py` calls them, inside its one transaction.

Table and column names come from the models; every value goes through a parameter.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import connections

from usage.buckets import Gains
from usage.classify import SampleKey, StreamKey
from usage.meters import QUANTITY_COLUMNS
from usage.models import Machine, StreamRun, UsageBucket, UsageSample
from usage.runs import Runs
from usage.wire import Row

SAMPLES = UsageSample._meta.db_table
BUCKETS = UsageBucket._meta.db_table
MACHINES = Machine._meta.db_table
KEY_COLUMNS = ("machine_id", "stream", "seq")
SAMPLE_COLUMNS = (*KEY_COLUMNS, "start_ms", "end_ms", *QUANTITY_COLUMNS)
ROW_COLUMNS = ("seq", "start_ms", "end_ms", *QUANTITY_COLUMNS)
GAIN_COLUMNS = ("covered_ms", "samples", *QUANTITY_COLUMNS)
VALUES_A_STATEMENT = 30_000  # SQLite takes 32,766 parameters, PostgreSQL 65,535.
PG_TYPES = ("int8", "uuid", *("int8",) * 12)


def is_postgres(using: str) -> bool:
    """Whether this alias is PostgreSQL; otherwise it is SQLite."""
    return connections[using].vendor == "postgresql"


def lock_machines(machines: Iterable[int], using: str) -> None:
    """Keep two workers from judging one machine at once, which only happens after partitions were added.

    SQLite has one writer anyway. The keys are taken in order, so that two batches cannot wait for each other.
    """
    if is_postgres(using):
        with connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(7411, key) FROM (SELECT unnest(%s::int4[]) AS key ORDER BY key) AS keys",
                [sorted({machine % 2**31 for machine in machines})],
            )


def load_runs(streams: Iterable[StreamKey], using: str) -> dict[StreamKey, Runs]:
    """Return the runs received so far of each stream that has any."""
    keys = set(streams)
    found: dict[StreamKey, list[tuple[int, int]]] = {}
    for part in chunks(sorted({stream for _, stream in keys}), VALUES_A_STATEMENT // 2):
        machines = {machine for machine, _ in keys}
        rows = StreamRun.objects.using(using).filter(stream__in=part)
        for machine, stream, lo, hi in rows.values_list("machine_id", "stream", "lo", "hi"):
            if machine in machines and (machine, stream) in keys:
                found.setdefault((machine, stream), []).append((lo, hi))
    return {key: Runs(pairs) for key, pairs in found.items()}


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


def insert_samples(new: dict[SampleKey, Row], using: str) -> dict[SampleKey, Row]:
    """Insert the rows that are not there yet and return those. The unique key is the second wall behind the runs."""
    if not new:
        return {}
    inserted = _copy_samples(new, using) if is_postgres(using) else _insert_samples(new, using)
    return new if len(inserted) == len(new) else {key: new[key] for key in inserted}


def _copy_samples(new: dict[SampleKey, Row], using: str) -> list[SampleKey]:
    columns = ", ".join(SAMPLE_COLUMNS)
    with connections[using].cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE {SAMPLES}) ON COMMIT DELETE ROWS")
        with cursor.copy(f"COPY incoming ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(PG_TYPES)
            for (machine, stream, seq), row in new.items():
                copy.write_row((machine, stream, seq, *row[1:]))
        cursor.execute(
            f"INSERT INTO {SAMPLES} ({columns}) SELECT {columns} FROM incoming"  # noqa: S608 names from the models
            f" ON CONFLICT DO NOTHING RETURNING {', '.join(KEY_COLUMNS)}"
        )
        return [(machine, stream, seq) for machine, stream, seq in cursor.fetchall()]


def _insert_samples(new: dict[SampleKey, Row], using: str) -> list[SampleKey]:
    inserted: list[SampleKey] = []
    rows = [(machine, stream.hex, seq, *row[1:]) for (machine, stream, seq), row in new.items()]
    with connections[using].cursor() as cursor:
        for part in chunks(rows, VALUES_A_STATEMENT // len(SAMPLE_COLUMNS)):
            _run_values(
                cursor,
                f"INSERT INTO {SAMPLES} ({', '.join(SAMPLE_COLUMNS)}) VALUES ",  # noqa: S608 names from the models
                part,
                f" ON CONFLICT DO NOTHING RETURNING {', '.join(KEY_COLUMNS)}",
            )
            inserted += [(machine, uuid.UUID(stream), seq) for machine, stream, seq in cursor.fetchall()]
    return inserted


def add_to_buckets(gains: Gains, using: str) -> None:
    """Add to the quarter hours, in key order so that two workers cannot wait for each other."""
    columns = ("machine_id", "start_ms", *GAIN_COLUMNS)
    updates = ", ".join(f"{column} = {BUCKETS}.{column} + excluded.{column}" for column in GAIN_COLUMNS)
    rows = [(*key, *gains[key]) for key in sorted(gains)]
    with connections[using].cursor() as cursor:
        for part in chunks(rows, VALUES_A_STATEMENT // len(columns)):
            _run_values(
                cursor,
                f"INSERT INTO {BUCKETS} ({', '.join(columns)}) VALUES ",  # noqa: S608 names from the models
                part,
                f" ON CONFLICT (machine_id, start_ms) DO UPDATE SET {updates}",
            )


RunPairs = Mapping[StreamKey, list[tuple[int, int]]]


def save_runs(before: RunPairs, after: RunPairs, using: str) -> None:
    """Write what the batch changed: runs joined into others go, the others are inserted or lengthened."""
    changed: list[StreamRun] = []
    for (machine, stream), pairs in after.items():
        known, kept = dict(before.get((machine, stream), [])), {lo for lo, _ in pairs}
        for part in chunks([lo for lo in known if lo not in kept], VALUES_A_STATEMENT):
            StreamRun.objects.using(using).filter(machine_id=machine, stream=stream, lo__in=part).delete()
        changed += [StreamRun(machine_id=machine, stream=stream, lo=lo, hi=hi) for lo, hi in pairs if known.get(lo) != hi]
    StreamRun.objects.using(using).bulk_create(
        changed, batch_size=5_000, update_conflicts=True, update_fields=["hi"], unique_fields=["machine", "stream", "lo"]
    )


def see_machines(seen: dict[int, tuple[int, int, int]], using: str) -> None:
    """Note what each machine (pk) last reported: (newest end_ms, cores, MiB; 0 where the format does not say).

    A batch that is older than what is known changes nothing.
    """
    statement = (
        f"UPDATE {MACHINES} SET last_seen_ms = %s, cores = CASE WHEN %s > 0 THEN %s ELSE cores END,"  # noqa: S608 as above
        " memory_mib = CASE WHEN %s > 0 THEN %s ELSE memory_mib END WHERE id = %s AND last_seen_ms < %s"
    )
    with connections[using].cursor() as cursor:
        cursor.executemany(statement, [(at, cores, cores, mib, mib, pk, at) for pk, (at, cores, mib) in sorted(seen.items())])


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield the items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _run_values(cursor: Any, head: str, rows: Sequence[tuple[Any, ...]], tail: str) -> None:
    """Execute one statement with a VALUES list."""
    group = f"({', '.join(['%s'] * len(rows[0]))})"
    cursor.execute(head + ", ".join([group] * len(rows)) + tail, [value for row in rows for value in row])
