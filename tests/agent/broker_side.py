"""What the tests see of a topic: everything on it, decoded without the agent's or the server's code."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition


@dataclass(frozen=True, slots=True)
class Record:
    key: str
    body: dict[str, Any]
    headers: dict[str, str]
    timestamp_ms: int
    partition: int


def records(bootstrap: str, topic: str) -> list[Record]:
    """All records that are on the topic now."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        return list(_until(consumer, ends))


def values(bootstrap: str, topic: str) -> list[bytes]:
    """Every value on the topic, as the broker has it."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends, found = consumer.end_offsets(partitions), []
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            found += [record.value for batch in consumer.poll(timeout_ms=200).values() for record in batch]
        return found


def _until(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> Iterator[Record]:
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for batch in consumer.poll(timeout_ms=200).values():
            for raw in batch:
                headers = {name: value.decode() for name, value in raw.headers}
                yield Record(raw.key.decode(), json.loads(raw.value), headers, raw.timestamp, raw.partition)


def samples(found: list[Record]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Version 1 samples by identity. Fails if one identity has two contents."""
    by_identity: dict[tuple[str, str, int], dict[str, Any]] = {}
    for record in found:
        for sample in record.body.get("samples", ()):
            identity = (record.body["machine"], record.body["stream"], sample["seq"])
            assert by_identity.setdefault(identity, sample) == sample, f"two contents for {identity}"
    return by_identity


def await_true(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait for a condition; fail when it does not come true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
