"""Thousands of stories of crashes, rebalances, zombies and resent messages, each from one seed; and planted bugs, all caught.

`SIMULATION_SEEDS=100000 pytest tests/usage/test_simulation.py` plays more of them. A failure names its seed: run(seed).
"""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from tests.usage import simulation
from tests.usage.build import machine
from usage import ingest, offsets, sql
from usage.buckets import gains
from usage.fetched import Part
from usage.portions import of_batch, take_plain
from usage.runs import Runs
from usage.worker import Worker, spare_the_collector

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = int(os.environ.get("SIMULATION_SEEDS", "5000"))
ENOUGH = 150  # Stories within which a planted bug must show.


@pytest.fixture(autouse=True)
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("usage.worker.MUCH_BYTES", 500)  # So that small batches are read ahead too, and single messages are not.
    monkeypatch.setattr("usage.worker.TAKES_IN_ALONE", ("sqlite",))  # As with PostgreSQL.
    if connection.vendor != "sqlite":
        pytest.skip("the simulator plays on SQLite; PostgreSQL meets real crashes in tests/usage/faults")
    for code in simulation.MACHINES:
        machine(code)
    connection_created.connect(_hasten)
    connection.close()
    spare_the_collector()
    logging.disable(logging.WARNING)  # A story is full of lost partitions and refused messages.
    yield
    logging.disable(logging.NOTSET)
    gc.unfreeze()
    gc.enable()
    connection_created.disconnect(_hasten)
    connection.close()


def _hasten(connection: Any, **_: Any) -> None:
    """A simulated crash is no power cut, so that nothing need wait for the disk."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous = OFF")


def test_every_story_ends_as_the_log_says() -> None:
    _play(SEEDS)


def _play(seeds: int) -> None:
    for seed in range(seeds):
        simulation.run(seed)


def _commit_before_write(patch: pytest.MonkeyPatch) -> None:
    real = ingest._write

    def write(position: Any, batch: Any, limits: Any, meanwhile: Any = None) -> Any:
        messages = batch[-1].raw.offset + 1 - position.next_offset
        ingest._move_offset(position, ingest.BatchResult(skipped=messages))
        with patch.context() as inner:
            _no_compare_and_set(inner)
            inner.setattr(ingest, "_move_offset", lambda position, result: None)
            return real(position, batch, limits, meanwhile)

    patch.setattr(ingest, "_write", write)


def _no_compare_and_set(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offsets, "HELD", offsets.HELD.replace("next_offset = %s", "%s IS NOT NULL"))


def _no_runs_and_no_unique_key(patch: pytest.MonkeyPatch) -> None:
    real = sql.insert_samples

    def insert(new: Any, using: str, meanwhile: Any) -> Any:
        real(new, using, meanwhile)
        return new

    patch.setattr(sql, "load_runs", lambda streams, using: {})
    patch.setattr(sql, "insert_samples", insert)


def _reset_to_latest(patch: pytest.MonkeyPatch) -> None:
    real = Worker._open

    def open_at_the_end(self: Worker, tp: Any, begin: int, end: int) -> Any:
        return real(self, tp, end, end)

    patch.setattr(Worker, "_open", open_at_the_end)


def _buckets_for_duplicates(patch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def sort(batch: Any) -> Any:
        seen[:] = [(portion.machine, portion.rows) for portion in of_batch(batch)]
        return of_batch(batch)

    patch.setattr(ingest, "of_batch", sort)
    patch.setattr(ingest, "gains", lambda rows: gains(seen))


def _whole_streams_without_a_look_at_the_runs(patch: pytest.MonkeyPatch) -> None:
    def take(brought: Any, runs: Any, contested: Any) -> Any:
        plain = take_plain(brought, {}, contested)
        for portion in plain:
            runs.setdefault(portion.key, Runs()).add(*(portion.span() or (0, 1)))
        return plain

    patch.setattr(ingest, "take_plain", take)


def _kafka_knows_better(patch: pytest.MonkeyPatch) -> None:
    def keep(self: Any, tp: Any, offset: int) -> None:
        self.positions.setdefault(tp, offset)

    patch.setattr("tests.usage.simulated.Consumer.seek", keep)


def _offsets_count_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Part, "unseen", lambda part, next_offset, log_id: part)


def _what_was_fetched_ahead_outlives_its_ownership(patch: pytest.MonkeyPatch) -> None:
    real = Worker._reopen

    def reopen(self: Worker) -> None:
        kept = list(self._parts)
        real(self)
        self._parts.extend(kept)

    patch.setattr(Worker, "_reopen", reopen)
    patch.setattr(Part, "unseen", lambda part, next_offset, log_id: part)


def _rejected_are_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ingest, "_write_rejected", lambda verdict, using: None)


def _rows_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    real = sql.insert_samples

    def insert(new: Any, using: str, meanwhile: Any) -> Any:
        inserted = real(new, using, meanwhile)
        connection.connection.commit()
        connection.connection.execute("BEGIN IMMEDIATE")
        return inserted

    patch.setattr(sql, "insert_samples", insert)


def _runs_join_what_does_not_touch(patch: pytest.MonkeyPatch) -> None:
    real = Runs.add
    patch.setattr(Runs, "add", lambda self, lo, hi: real(self, max(0, lo - 1), hi))


def _equivocation_is_a_duplicate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sql, "load_rows", lambda keys, using: {})


BUGS = [
    _commit_before_write,
    _no_compare_and_set,
    _no_runs_and_no_unique_key,
    _reset_to_latest,
    _buckets_for_duplicates,
    _whole_streams_without_a_look_at_the_runs,
    _kafka_knows_better,
    _offsets_count_twice,
    _what_was_fetched_ahead_outlives_its_ownership,
    _rejected_are_dropped,
    _rows_outside_the_transaction,
    _runs_join_what_does_not_touch,
    _equivocation_is_a_duplicate,
]


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_bug_is_caught(plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    with pytest.raises(Exception, match=r"seed|not caught up|UNIQUE|CHECK|no longer|moved|retention"):
        _play(ENOUGH)
