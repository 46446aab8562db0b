"""The embedded broker as its users meet it: it keeps what it was given, says why it will not start, and leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from billingsite import broker as broker_module
from billingsite.broker import BrokerError, EmbeddedKafka, count_brokers, ensure_topic
from billingsite.kafka_node import HOST, free_ports

pytestmark = pytest.mark.kafka

A_MONTH_AGO_MS = int(time.time() * 1000) - 31 * 86_400_000


def send(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for value in values:
        producer.send(topic, key=b"web-1", value=value, timestamp_ms=A_MONTH_AGO_MS).get(timeout=10)
    producer.close()


def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, partition) for partition in range(3)])
    values: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(values) < count and time.monotonic() < deadline:
        values += [record.value for records in consumer.poll(timeout_ms=500).values() for record in records]
    consumer.close()
    return values


def await_true(condition: Callable[[], bool], within_s: float = 20) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes_in(folder: Path) -> list[int]:
    """Return the processes whose command line names the folder: a broker is started with its settings file."""
    return [
        each.pid for each in psutil.process_iter(["cmdline"]) if any(f"{folder}/" in part for part in each.info["cmdline"] or [])
    ]


def test_what_is_sent_is_read_from_a_fresh_topic_of_three_partitions(kafka_bootstrap: str, topic: str) -> None:
    send(kafka_bootstrap, topic, b"one", b"two")

    assert read(kafka_bootstrap, topic, 2) == [b"one", b"two"]


def test_each_test_has_a_topic_of_its_own(kafka_bootstrap: str, topic: str) -> None:
    consumer = KafkaConsumer(bootstrap_servers=kafka_bootstrap)
    partitions = [TopicPartition(topic, partition) for partition in range(3)]

    ends = consumer.end_offsets(partitions)

    assert list(ends.values()) == [0, 0, 0]
    consumer.close()


def test_messages_survive_a_kill_and_a_restart_and_reset_forgets_them(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    with EmbeddedKafka(tmp_path, port=port) as broker:
        assert ensure_topic(broker.bootstrap, "resource_usage") is True
        send(broker.bootstrap, "resource_usage", b"kept")
        for pid in processes_in(tmp_path):
            os.kill(pid, signal.SIGKILL)

    with EmbeddedKafka(tmp_path, port=port) as broker:
        assert ensure_topic(broker.bootstrap, "resource_usage") is False
        kept = read(broker.bootstrap, "resource_usage", 1)

    broker = EmbeddedKafka(tmp_path, port=port)
    broker.wipe()
    with broker:
        made_again = ensure_topic(broker.bootstrap, "resource_usage")

    assert kept == [b"kept"]
    assert made_again is True
    assert processes_in(tmp_path) == []


def test_a_folder_in_use_is_refused_by_name(tmp_path: Path) -> None:
    holder = EmbeddedKafka(tmp_path, port=free_ports(1)[0])
    holder._hold_folder()

    with pytest.raises(BrokerError, match=f"Another broker is running in {tmp_path}"):
        EmbeddedKafka(tmp_path, port=free_ports(1)[0]).start()


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(BrokerError, match=rf"Port {port} is taken.*COREHOUR_KAFKA_PORT"):
            EmbeddedKafka(tmp_path, port=port).start()


def test_a_full_disk_is_named_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "LEAST_FREE_BYTES", 10**18)

    with pytest.raises(BrokerError, match=r"MB are free in .*COREHOUR_DATA_DIR"):
        EmbeddedKafka(tmp_path, port=free_ports(1)[0]).start()

    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_broker_dies_with_the_process_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    code = (
        "import sys, time; from pathlib import Path; from billingsite.broker import EmbeddedKafka\n"
        "EmbeddedKafka(Path(sys.argv[1]), port=int(sys.argv[2])).start(); print('ready', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(free_ports(1)[0])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        assert len(processes_in(tmp_path)) == 2  # Java and its guard.

        parent.send_signal(number)

    assert await_true(lambda: processes_in(tmp_path) == [])


@pytest.mark.slow
def test_three_brokers_form_one_cluster_and_cannot_be_opened_as_one(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    with EmbeddedKafka(tmp_path, brokers=3, port=port) as broker:
        assert count_brokers(broker.bootstrap) == 3
        ensure_topic(broker.bootstrap, "resource_usage")
        send(broker.bootstrap, "resource_usage", b"one")
        assert read(broker.bootstrap, "resource_usage", 1) == [b"one"]

    with pytest.raises(BrokerError, match="was made with --brokers 3"):
        EmbeddedKafka(tmp_path, port=port).start()
