"""The worker on a real broker: nothing lost, nothing twice, and a clear word where a person must decide."""

import threading
import time
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from tests.usage.build import LIMITS, body, machine, sample
from tests.usage.kafka import drain, ends, publish, worker
from usage.audit import checks
from usage.models import RejectedMessage, UsageBucket, UsageSample
from usage.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def recent() -> Iterator[None]:
    """The made messages stand at a fixed time; the worker's clock stands there too."""
    with mock.patch("usage.worker.Limits", return_value=LIMITS):
        yield


def _bodies(count: int, first: int = 0) -> list[dict[str, object]]:
    return [body(sample(seq)) for seq in range(first, first + count)]


def _differences() -> list[str]:
    return [difference for check in checks() for difference in check.differences]


def _wait(done: Callable[[], bool], step: Callable[[], object] = lambda: time.sleep(0.02)) -> None:
    deadline = time.monotonic() + 40
    while not done():
        assert time.monotonic() < deadline, "not done after 40 s"
        step()


def _step_until_told(one: Worker, stop: threading.Event) -> None:
    while not stop.is_set():
        one.step(0.2)
    one.close()
    connection.close()


def test_what_is_published_is_stored_once_and_adds_up(kafka_bootstrap: str, topic: str) -> None:
    machine()
    publish(kafka_bootstrap, topic, [*_bodies(40), b"broken", *_bodies(5)])

    total = drain(kafka_bootstrap, topic)

    assert (total.stored, total.duplicate, total.rejected) == (40, 5, 1)
    assert UsageSample.objects.count() == 40
    assert RejectedMessage.objects.get().reason == "not_json"
    assert _differences() == []


def test_a_new_worker_begins_where_the_database_stands_not_where_kafka_thinks(kafka_bootstrap: str, topic: str) -> None:
    machine()
    publish(kafka_bootstrap, topic, _bodies(10))
    drain(kafka_bootstrap, topic)
    publish(kafka_bootstrap, topic, _bodies(10, first=10))
    consumer = KafkaConsumer(bootstrap_servers=kafka_bootstrap, group_id=f"group-{topic}", enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in range(3)]
    consumer.assign(partitions)
    latest = ends(kafka_bootstrap, topic)
    consumer.commit({tp: OffsetAndMetadata(latest[tp.partition], "", -1) for tp in partitions})
    consumer.close()

    total = drain(kafka_bootstrap, topic)

    assert (total.stored, total.duplicate) == (10, 0)
    assert UsageBucket.objects.get().samples == 20


def test_two_workers_share_the_partitions_and_store_each_message_once(kafka_bootstrap: str, topic: str) -> None:
    for number in range(12):
        machine(f"m-{number}")
    workers = [worker(kafka_bootstrap, topic), worker(kafka_bootstrap, topic)]
    stop = threading.Event()
    threads = [threading.Thread(target=_step_until_told, args=(one, stop)) for one in workers]
    for thread in threads:
        thread.start()

    _wait(lambda: all(one.positions for one in workers))
    publish(kafka_bootstrap, topic, [body(sample(seq), machine=f"m-{seq % 12}") for seq in range(360)])
    wanted = ends(kafka_bootstrap, topic)
    _wait(lambda: workers[0].caught_up(wanted))
    first, second = (set(one.positions) for one in workers)
    stop.set()
    for thread in threads:
        thread.join()

    assert UsageSample.objects.count() == 360
    assert all(one.total.stored for one in workers)
    assert not first & second
    assert _differences() == []


def test_while_the_database_is_away_nothing_is_lost(kafka_bootstrap: str, topic: str) -> None:
    machine()
    publish(kafka_bootstrap, topic, _bodies(20))
    one = worker(kafka_bootstrap, topic)
    wanted = one.ends()
    with mock.patch("usage.worker.store", side_effect=OperationalError("server closed the connection")):
        _wait(lambda: one._outage.count > 1, lambda: one.step(0.1))
    stored_meanwhile = UsageSample.objects.count()

    _wait(lambda: one.caught_up(wanted), lambda: one.step(0.1))
    one.close()

    assert stored_meanwhile == 0
    assert UsageSample.objects.count() == 20
    assert _differences() == []


def test_the_audit_names_a_bucket_that_is_off_by_one(kafka_bootstrap: str, topic: str) -> None:
    machine()
    publish(kafka_bootstrap, topic, _bodies(3))
    drain(kafka_bootstrap, topic)
    call_command("audit_usage")
    UsageBucket.objects.update(cpu_ms=30_001)

    with pytest.raises(CommandError, match="1 differences"):
        call_command("audit_usage")
