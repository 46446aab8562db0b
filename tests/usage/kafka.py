"""What the tests that need a broker share: publish messages, and drain them with the real worker."""

import json
from collections.abc import Iterable
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from usage.ingest import BatchResult
from usage.records import read_quickly
from usage.worker import Worker

V1 = [("ce_specversion", b"1.0"), ("ce_type", b"corehour.usage.v1")]


def publish(bootstrap: str, topic: str, bodies: Iterable[Any], *, partition: int | None = None, headers: Any = None) -> None:
    """Send bodies as wire format 1, keyed by their machine; bytes are sent as they are."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=20)
    for body in bodies:
        value = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = body["machine"].encode() if isinstance(body, dict) else None
        producer.send(topic, value=value, key=key, headers=V1 if headers is None else headers, partition=partition)
    producer.close()


def worker(
    bootstrap: str, topic: str, *, group: str | None = None, consumer: dict[str, Any] | None = None, **options: Any
) -> Worker:
    """A worker on a real consumer, with settings of the consumer's own where a test wants them."""
    settings: dict[str, Any] = dict(
        bootstrap_servers=bootstrap,
        group_id=group or f"group-{topic}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=500,
        reconnect_backoff_max_ms=1_000,
    )
    return Worker(read_quickly(KafkaConsumer(**settings | (consumer or {}))), topic, max_age_ms=10**13, **options)


def drain(bootstrap: str, topic: str, **options: Any) -> BatchResult:
    """Store everything that the topic holds now. Return what became of it."""
    one = worker(bootstrap, topic, **options)
    try:
        ends = one.ends()
        for _ in range(600):
            one.step(0.1)
            if one.caught_up(ends):
                return one.total
        raise AssertionError(f"not caught up with {ends} after 600 steps: {one.positions}")
    finally:
        one.close()


def ends(bootstrap: str, topic: str) -> dict[int, int]:
    """The end of each partition's log."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        return {tp.partition: end for tp, end in consumer.end_offsets(partitions).items()}
    finally:
        consumer.close()
