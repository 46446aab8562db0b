"""Messages onto a real broker, and what is said when there is none."""

import time

import pytest

from agent.publisher import Broker, Publisher, explain
from agent.wire import Numbered, encode, encode_reading
from tests.agent.broker_side import records
from tests.agent.build import HOST, T0, Time, sample

STREAM = "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f"
MESSAGE = encode("web-1", STREAM, [Numbered(7, HOST, sample(0))])


@pytest.mark.kafka
def test_a_message_arrives_with_key_headers_and_the_time_of_sending(kafka_bootstrap: str, topic: str) -> None:
    publisher = Publisher(Broker(kafka_bootstrap, topic))
    before_ms = time.time_ns() // 1_000_000

    assert publisher.publish([MESSAGE]) == [True]
    publisher.close()

    (record,) = records(kafka_bootstrap, topic)
    assert record.key == "web-1"
    assert record.headers["ce_id"] == f"{STREAM}:7"
    assert record.headers["ce_type"] == "corehour.usage.v1"
    assert record.body["samples"][0]["start"] == T0
    assert before_ms <= record.timestamp_ms <= time.time_ns() // 1_000_000


@pytest.mark.kafka
def test_a_version_0_reading_has_its_own_time_and_no_header(kafka_bootstrap: str, topic: str) -> None:
    publisher = Publisher(Broker(kafka_bootstrap, topic))

    assert publisher.publish([encode_reading("old-1", 37_500_000, 61_200_000, T0)]) == [True]
    publisher.close()

    (record,) = records(kafka_bootstrap, topic)
    assert (record.timestamp_ms, record.headers) == (T0, {})
    assert record.body == {"machine_id": "old-1", "cpu_usage": 37.5, "memory_usage": 61.2}


@pytest.mark.kafka
def test_one_machines_messages_stay_in_one_partition_in_order(kafka_bootstrap: str, topic: str) -> None:
    publisher = Publisher(Broker(kafka_bootstrap, topic))
    batch = [encode(f"web-{n % 5}", STREAM, [Numbered(n, HOST, sample(n))]) for n in range(100)]

    assert publisher.publish(batch) == [True] * 100
    publisher.close()

    found = records(kafka_bootstrap, topic)
    for machine in range(5):
        mine = [record for record in found if record.key == f"web-{machine}"]
        assert len({record.partition for record in mine}) == 1
        assert [record.body["samples"][0]["seq"] for record in mine] == list(range(machine, 100, 5))


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_named(kafka_bootstrap: str) -> None:
    publisher = Publisher(Broker(kafka_bootstrap, "no-such-topic"))

    assert publisher.publish([MESSAGE]) == [False]
    assert publisher.trouble == f"topic no-such-topic is not on {kafka_bootstrap}: create it or check USAGE_TOPIC"
    publisher.close()


def test_without_a_broker_it_waits_ever_longer_and_does_not_try_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.publisher.CONNECT_MS", 200)
    clock = Time()
    publisher = Publisher(Broker("127.0.0.1:1", "usage"), monotonic=clock.monotonic_s)
    waits = []

    for _ in range(6):
        assert publisher.publish([MESSAGE, MESSAGE]) == [False, False]
        waits.append(publisher.wait_s())
        started = time.monotonic()
        publisher.publish([MESSAGE])
        assert time.monotonic() - started < 0.1
        clock.pass_ms(15_001)

    assert publisher.trouble == "no answer from the broker at 127.0.0.1:1"
    longest = [1, 2, 4, 8, 15, 15]
    assert all(0.8 * most <= wait <= most for wait, most in zip(waits, longest, strict=True)), waits


def test_a_log_in_is_named_only_where_there_is_one() -> None:
    idle = Broker("kafka.example.com:9092", "usage", sasl_mechanism="PLAIN")  # PLAINTEXT: the mechanism is not used.
    used = Broker("kafka.example.com:9093", "usage", "SASL_SSL", "PLAIN", "web-1", "secret")

    assert explain(TimeoutError(), idle) == "no answer from the broker at kafka.example.com:9092"
    assert explain(TimeoutError(), used).endswith(", or it refused the log-in of web-1")
