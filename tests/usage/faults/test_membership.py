"""The group in motion: members that come and go, partitions that are added, a client that lost its way."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from kafka.admin import KafkaAdminClient

from tests.nursery import Nursery
from tests.usage.faults.batch import FULL, differences, recent
from tests.usage.faults.conftest import await_
from tests.usage.kafka import ends, publish, worker
from usage.models import IngestOffset, UsageSample

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("machines")]
COME_AND_GO_S = 60.0 if FULL else 8.0
STAY_S = 2.0


def test_a_member_that_joins_and_leaves_every_two_seconds_costs_nothing(
    kafka_bootstrap: str, topic: str, workers: Nursery, consume: Callable[..., int], stored: Callable[[], None]
) -> None:
    backlog = recent(4_000, machines=4)
    consume("--max-records", "20")
    stop = threading.Event()
    sender = threading.Thread(target=_trickle, args=(kafka_bootstrap, topic, backlog, stop))
    sender.start()

    deadline, times = time.monotonic() + COME_AND_GO_S, 0
    while times < 3 or time.monotonic() < deadline:
        guest = consume("--max-records", "20")
        time.sleep(STAY_S)  # This is the fault: coming and going at this pace.
        os.kill(guest, signal.SIGTERM)
        assert workers.wait(guest) in {0, -signal.SIGTERM}, workers.said()
        times += 1
    stop.set()
    sender.join()
    stored()

    assert times >= 3
    assert UsageSample.objects.count() == len(backlog)
    assert differences() == []


def _trickle(bootstrap: str, topic: str, backlog: list[dict[str, object]], stop: threading.Event) -> None:
    """Send a little at a time while the group is in motion, and the rest at the end."""
    part = len(backlog) // 100
    for first in range(0, len(backlog), part):
        publish(bootstrap, topic, backlog[first : first + part])
        stop.wait(COME_AND_GO_S / 150)


def test_three_partitions_become_six_and_every_message_is_stored_once(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic: str
) -> None:
    one = worker(kafka_bootstrap, topic, consumer={"metadata_max_age_ms": 500})
    backlog = recent(80, machines=4)
    publish(kafka_bootstrap, topic, backlog[:40])
    wanted = ends(kafka_bootstrap, topic)
    await_(lambda: one.caught_up(wanted), lambda: one.step(0.2))

    kafka_admin.create_partitions({topic: 6})
    await_(lambda: len(ends(kafka_bootstrap, topic)) == 6)
    publish(kafka_bootstrap, topic, backlog[20:])
    wanted = ends(kafka_bootstrap, topic)
    await_(lambda: one.caught_up(wanted), lambda: one.step(0.2))
    one.close()

    assert IngestOffset.objects.count() == 6
    assert UsageSample.objects.count() == 80
    assert differences() == []


def test_a_consumer_whose_partition_stands_still_while_it_has_lag_is_made_anew(
    kafka_bootstrap: str, topic: str, workers: Nursery, consume: Callable[..., int], stored: Callable[[], None]
) -> None:
    publish(kafka_bootstrap, topic, recent(40, machines=4))
    pid = consume("--max-records", "10", trap="go deaf", at=10)

    stored()
    os.kill(pid, signal.SIGTERM)

    assert workers.wait(pid) == 0
    assert "making the consumer anew" in workers.said()
    assert UsageSample.objects.count() == 40
    assert differences() == []
