"""A topic and a consumer group made of lists, so that one seed decides every rebalance, redelivery and crash.

Only Kafka is simulated. What runs on it is the real worker, the real ingest and a real SQLite file.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from django.db import connection
from kafka import TopicPartition
from kafka.errors import NoOffsetForPartitionError

from tests.usage.build import NOW_MS, TOPIC_ID
from usage.wire import RawMessage
from usage.worker import Worker

TOPIC = "resource_usage"
PARTITIONS = 2


class Killed(BaseException):
    """The process is gone: nothing after this point happens, and no `except Exception` sees it."""


@dataclass
class Log:
    """A topic: messages by partition, and what the group last committed to Kafka, which nobody may trust."""

    records: list[list[RawMessage]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    committed: dict[int, int] = field(default_factory=dict)

    def append(self, partition: int, key: bytes | None, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
        offset = len(self.records[partition])
        self.records[partition].append(RawMessage(TOPIC, "", partition, offset, NOW_MS, key, value, headers))


class Consumer:
    """As much of KafkaConsumer as the worker uses. `assign` is the group's doing; a zombie is not told of it."""

    def __init__(self, log: Log, most: int) -> None:
        self.log = log
        self.most = most
        self.positions: dict[TopicPartition, int] = {}
        self.owned: set[TopicPartition] = set()
        self.held: set[TopicPartition] = set()
        self.log_ids: dict[TopicPartition, str] = {}
        self._cluster = SimpleNamespace(topic_id=lambda topic: TOPIC_ID, cluster_id="c1")

    def subscribe(self, topics: list[str], listener: Any) -> None:
        self.listener = listener

    def assign(self, partitions: Iterable[int]) -> None:
        """The group hands out partitions, with Kafka's own idea of where each begins."""
        self.owned = {TopicPartition(TOPIC, number) for number in partitions}
        self.positions = {tp: self.log.committed[tp.partition] for tp in self.owned if tp.partition in self.log.committed}
        self.listener.on_partitions_assigned(self.owned)

    def assignment(self) -> set[TopicPartition]:
        return set(self.owned)

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[RawMessage]]:
        missing = self.owned - self.positions.keys()
        if missing:
            raise NoOffsetForPartitionError(missing)
        fetched = {}
        for tp in sorted(self.owned - self.held):
            begin = self.positions[tp]
            records = self.log.records[tp.partition][begin : begin + self.most]
            if records:
                fetched[tp] = records
                self.positions[tp] = begin + len(records)
        return fetched

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: len(self.log.records[tp.partition]) for tp in partitions}

    def commit_async(self, offsets: dict[TopicPartition, Any]) -> None:
        self.log.committed |= {tp.partition: committed.offset for tp, committed in offsets.items()}

    def pause(self, *partitions: TopicPartition) -> None:
        self.held |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.held -= set(partitions)

    def paused(self) -> set[TopicPartition]:
        return set(self.held)


class Group:
    """Two workers over one log. Any of them may be killed at any statement, or go on as a zombie."""

    def __init__(self, log: Log, chance: random.Random) -> None:
        self.log = log
        self.chance = chance
        self.workers = [self._worker(), self._worker()]
        self.rebalance()

    def rebalance(self, *, zombies: bool = False) -> None:
        """Deal the partitions anew. With zombies, a worker that lost one may not hear of it."""
        owners = [self.chance.randrange(len(self.workers)) for _ in range(PARTITIONS)]
        for index, worker in enumerate(self.workers):
            if not (zombies and self.chance.random() < 0.5):
                worker.consumer.assign([partition for partition, owner in enumerate(owners) if owner == index])

    def step(self, index: int, *, kill_at: int | None = None, kill_after_commit: bool = False) -> None:
        """One step of a worker. Killed, it is replaced by a new process, and the partitions are dealt anew."""
        worker = self.workers[index]
        if kill_after_commit:
            worker._after_commit = _die  # type: ignore[method-assign, assignment]
        try:
            with connection.execute_wrapper(_killer(kill_at)):
                worker.step(0)
        except Killed:
            connection.close()
            self.workers[index] = self._worker()
            self.rebalance()

    def rewind(self, index: int) -> None:
        """A client with a fault: it delivers again what it has delivered, and nobody told it to."""
        consumer = self.workers[index].consumer
        for tp, position in consumer.positions.items():
            consumer.positions[tp] = self.chance.randint(0, position)

    def drain(self) -> None:
        """Every partition to one worker, until the log's end is stored."""
        self.workers = [self._worker(self.chance.choice([4, 100]))]
        self.workers[0].consumer.assign(range(PARTITIONS))
        ends = {number: len(records) for number, records in enumerate(self.log.records)}
        for _ in range(200):
            self.workers[0].step(0)
            stands = {tp.partition: row.next_offset for tp, row in self.workers[0].positions.items()}
            if stands == ends and self.workers[0].caught_up({number: end for number, end in ends.items() if end}):
                return
        raise AssertionError(f"not caught up with {ends}")

    def _worker(self, most: int = 0) -> Worker:
        return Worker(
            Consumer(self.log, most or self.chance.choice([1, 2, 5])),
            TOPIC,
            max_age_ms=10**13,
            clock=lambda: NOW_MS / 1000,
        )


def _die(*args: Any) -> None:
    raise Killed


def _killer(at: int | None) -> Callable[..., Any]:
    """An execute wrapper that kills before the at-th statement, or in half the cases right after it."""
    left = [at]

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if left[0] is None:
            return execute(sql, params, many, context)
        left[0] -= 1
        if left[0] == 0 and at is not None and at % 2:
            raise Killed
        result = execute(sql, params, many, context)
        if left[0] == 0:
            raise Killed
        return result

    return wrapper
