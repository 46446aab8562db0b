"""The database gone, locked, deadlocked, full or older than it was: nothing is lost, and it goes on by itself."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from tests.usage.faults.batch import FULL, differences, recent
from tests.usage.faults.conftest import await_
from tests.usage.kafka import drain, ends, publish, worker
from usage.models import IngestIncident, IngestOffset, MachineStream, RejectedMessage, StreamRun, UsageBucket, UsageSample

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("machines")]
LOCKED_S = {"postgresql": 60.0, "sqlite": 30.0} if FULL else {"postgresql": 3.0, "sqlite": 3.0}
WRITTEN: tuple[Any, ...] = (UsageSample, UsageBucket, StreamRun, MachineStream, RejectedMessage, IngestOffset, IngestIncident)


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """Work in a thread with a connection of its own; it says when it holds what it wants to hold."""
    holds = threading.Event()

    def run() -> None:
        try:
            work(holds)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert holds.wait(30)
    yield holds
    thread.join()


def _lock_all(holds: threading.Event) -> None:
    """On PostgreSQL the samples' table, on SQLite the one write lock there is."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {UsageSample._meta.db_table} IN ACCESS EXCLUSIVE MODE")
        holds.set()
        time.sleep(LOCKED_S[connection.vendor])  # This is the fault: a lock for so long.


def _store_under_lock(kafka_bootstrap: str, topic: str, busy_ms: int | None = None) -> tuple[int, float]:
    """Store forty messages while all is locked. Return how often the worker gave up meanwhile, and how long it took."""
    publish(kafka_bootstrap, topic, recent(40, machines=4))
    one = worker(kafka_bootstrap, topic)
    wanted = one.ends()
    await_(lambda: bool(one.positions), lambda: one.step(0.1))
    given_up = 0
    began = time.monotonic()
    with _beside(_lock_all):
        if busy_ms is not None:
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {busy_ms}")
        while not one.caught_up(wanted):
            one.step(0.1)
            given_up = max(given_up, one._outage.count)
            assert time.monotonic() - began < LOCKED_S[connection.vendor] + 60
    one.close()
    return given_up, time.monotonic() - began


def test_a_table_that_is_locked_for_long_is_waited_for(kafka_bootstrap: str, topic: str) -> None:
    _, took = _store_under_lock(kafka_bootstrap, topic)

    assert took >= LOCKED_S[connection.vendor]
    assert UsageSample.objects.count() == 40
    assert differences() == []


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no lock of the whole file")
def test_sqlite_locked_for_longer_than_it_waits_is_tried_again(kafka_bootstrap: str, topic: str) -> None:
    given_up, _ = _store_under_lock(kafka_bootstrap, topic, busy_ms=300)

    assert given_up > 0
    assert UsageSample.objects.count() == 40
    assert differences() == []


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer, which cannot wait for another")
def test_the_victim_of_a_deadlock_stores_its_batch_afterwards(kafka_bootstrap: str, topic: str) -> None:
    publish(kafka_bootstrap, topic, recent(10), partition=0)
    drain(kafka_bootstrap, topic)
    publish(kafka_bootstrap, topic, recent(10, first=10), partition=0)
    one = worker(kafka_bootstrap, topic)
    wanted = one.ends()
    await_(lambda: bool(one.positions), lambda: one.step(0.1))
    outages = 0

    def cross(holds: threading.Event) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '50s'")  # So that the worker is the one that notices, and gives way.
            list(UsageBucket.objects.select_for_update())
            holds.set()
            await_(lambda: _waits_for_the_bucket())
            list(IngestOffset.objects.filter(partition=0).select_for_update())

    with _beside(cross):
        while not one.caught_up(wanted):
            one.step(0.1)
            outages = max(outages, one._outage.count)
    one.close()

    assert outages == 1
    assert UsageSample.objects.count() == 20
    assert differences() == []


def _waits_for_the_bucket() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        return bool(cursor.fetchone()[0])


def test_a_database_restored_from_an_old_copy_replays_by_itself(kafka_bootstrap: str, topic: str) -> None:
    publish(kafka_bootstrap, topic, [*recent(10, machines=4), b"nonsense"])
    drain(kafka_bootstrap, topic)
    copy = {model: list(model._default_manager.all()) for model in WRITTEN}
    publish(kafka_bootstrap, topic, [*recent(10, first=10, machines=4), b"more of it"])
    drain(kafka_bootstrap, topic)

    for model, rows in copy.items():
        model._default_manager.all().delete()
        model._default_manager.bulk_create(rows)
    before = UsageSample.objects.count()
    total = drain(kafka_bootstrap, topic)

    assert before == 10
    assert (total.stored, total.duplicate, total.rejected) == (10, 0, 1)
    assert UsageSample.objects.count() == 20
    assert sorted(ends(kafka_bootstrap, topic).values()) == sorted(IngestOffset.objects.values_list("next_offset", flat=True))
    assert differences() == []
