"""Kafka's side: the broker killed, offsets that come twice, messages that are gone, a topic that is another one."""

import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import psutil
import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from billingsite.broker import EmbeddedKafka, ensure_topic
from billingsite.kafka_node import free_ports
from tests.usage.faults.batch import differences, recent
from tests.usage.faults.conftest import await_
from tests.usage.kafka import drain, ends, publish, worker
from usage import quick, wire
from usage.models import IngestIncident, IngestOffset, RejectedMessage, UsageSample
from usage.worker import LossFound, Worker

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("machines")]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker that is this test's to kill."""
    with EmbeddedKafka(tmp_path / "kafka", port=free_ports(1)[0]) as made:
        ensure_topic(made.bootstrap, "usage")
        yield made


def _kill(broker: EmbeddedKafka) -> None:
    for guard in broker.processes:
        for java in psutil.Process(guard.pid).children(recursive=True):
            java.kill()
        guard.wait(30)


def _patient(one: Worker) -> None:
    try:
        one.step(0.2)
    except KafkaError:  # The command says so and tries again; so does this.
        time.sleep(0.2)


def test_a_broker_that_is_killed_and_comes_back_costs_nothing(broker: EmbeddedKafka) -> None:
    publish(broker.bootstrap, "usage", recent(40, machines=4))
    one = worker(broker.bootstrap, "usage", max_records=5)
    await_(lambda: one.total.stored > 0, lambda: one.step(0.2))

    _kill(broker)
    for _ in range(5):
        _patient(one)
    broker.stop()
    broker.start()
    publish(broker.bootstrap, "usage", recent(20, first=40, machines=4))
    wanted = ends(broker.bootstrap, "usage")
    await_(lambda: one.caught_up(wanted), lambda: _patient(one))
    one.close()

    assert UsageSample.objects.count() == 60
    assert differences() == []


def test_the_same_offsets_delivered_twice_are_stored_once(kafka_bootstrap: str, topic: str) -> None:
    reading = b'{"machine_id": "m-1", "cpu_usage": 50, "memory_usage": 50}'
    publish(kafka_bootstrap, topic, [*recent(8), b"nonsense"], partition=0)
    publish(kafka_bootstrap, topic, [reading], partition=0, headers=[])
    one = worker(kafka_bootstrap, topic)
    await_(lambda: one.caught_up({0: 10}), lambda: one.step(0.1))
    books = IngestOffset.objects.filter(partition=0).values().get()

    one.consumer.seek(TopicPartition(topic, 0), 3)  # Behind the worker's back, as a client with a fault would.
    publish(kafka_bootstrap, topic, recent(2, first=8), partition=0)
    await_(lambda: one.caught_up({0: 12}), lambda: one.step(0.1))
    one.close()

    after = IngestOffset.objects.filter(partition=0).values().get()
    assert (books["stored"], books["rejected"], books["skipped"]) == (9, 1, 0)
    assert (after["stored"], after["duplicate"], after["rejected"], after["skipped"]) == (11, 0, 1, 0)
    assert UsageSample.objects.count() == 11
    assert RejectedMessage.objects.count() == 1
    assert differences() == []


def test_messages_that_retention_deleted_stop_the_worker_until_the_loss_is_accepted(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    publish(kafka_bootstrap, topic, recent(10), partition=0)
    drain(kafka_bootstrap, topic)
    publish(kafka_bootstrap, topic, recent(10, first=10), partition=0)
    kafka_admin.delete_records({TopicPartition(topic, 0): 15})

    with pytest.raises(LossFound, match="offsets 10 to 14 were deleted by retention"):
        drain(kafka_bootstrap, topic)
    total = drain(kafka_bootstrap, topic, accept_loss=True)

    assert total.stored == 5
    assert IngestOffset.objects.get(partition=0).skipped == 5
    assert IngestIncident.objects.get().kind == "accepted_loss"
    assert differences() == []


def test_a_topic_made_again_stops_the_worker_until_the_loss_is_accepted(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    publish(kafka_bootstrap, topic, recent(10))
    drain(kafka_bootstrap, topic)
    kafka_admin.delete_topics([topic])
    await_(lambda: topic not in kafka_admin.list_topics())
    kafka_admin.create_topics({topic: {"num_partitions": 3}}, wait_for_metadata=True)
    publish(kafka_bootstrap, topic, recent(10, first=10))

    with pytest.raises(LossFound, match="another topic"):
        drain(kafka_bootstrap, topic, group=f"again-{topic}")
    total = drain(kafka_bootstrap, topic, group=f"again-{topic}", accept_loss=True)

    assert total.stored == 10
    assert set(IngestIncident.objects.values_list("kind", flat=True)) == {"topic_recreated"}
    assert differences() == []


def test_a_log_that_lost_its_tail_goes_on_under_new_names(kafka_bootstrap: str, topic: str) -> None:
    publish(kafka_bootstrap, topic, [b"broken", *recent(3)], partition=0)
    drain(kafka_bootstrap, topic)
    # The database stands behind what Kafka has: as if the broker had lost two messages.
    IngestOffset.objects.filter(partition=0).update(next_offset=6, skipped=2)

    one = worker(kafka_bootstrap, topic)
    with pytest.raises(LossFound, match="lost its log's tail"):
        await_(lambda: False, lambda: one.step(0.2))
    one.close()
    one = worker(kafka_bootstrap, topic, accept_loss=True)
    await_(lambda: bool(one.positions), lambda: one.step(0.2))
    one.close()
    publish(kafka_bootstrap, topic, [b"broken again", *recent(2, first=3)], partition=0)
    total = drain(kafka_bootstrap, topic)

    assert (total.stored, total.rejected) == (2, 1)
    row = IngestOffset.objects.get(partition=0)
    assert (row.epoch, row.first_offset, row.next_offset) == (1, 4, 7)
    assert sorted(RejectedMessage.objects.values_list("topic_id", flat=True)) == [row.topic_id, f"{row.topic_id}#1"]
    assert differences() == []


def test_a_message_that_raises_is_rejected_alone(kafka_bootstrap: str, topic: str) -> None:
    publish(kafka_bootstrap, topic, recent(20), partition=0)
    real = quick.plain

    def plain(raw: wire.RawMessage, limits: wire.Limits) -> wire.Message | None:
        if raw.offset == 7:
            raise ZeroDivisionError("planted")
        return real(raw, limits)

    with mock.patch("usage.batch.plain", plain):
        total = drain(kafka_bootstrap, topic)

    assert (total.stored, total.rejected) == (19, 1)
    kept = RejectedMessage.objects.get()
    assert (kept.offset, kept.reason) == (7, "poison")
    assert differences() == []
