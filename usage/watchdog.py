"""Beside the worker: notices partitions that stand still although Kafka holds more, so that the consumer can be made anew.

A client can lose its way: a leader that handed out no partitions, a fetch that never comes back. No error tells.
"""

import time
from collections.abc import Callable

from django.db import Error as DatabaseError
from kafka import TopicPartition
from kafka.errors import KafkaError

from usage.models import IngestOffset
from usage.worker import Worker

PATIENCE_S = 60.0
UNKNOWN_IN_A_ROW = 5
ANSWER_WITHIN_MS = 10_000


class Watchdog:
    """Ask `stuck` after every step. It looks at Kafka only where nothing has moved for its patience."""

    def __init__(self, worker: Worker, *, patience_s: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.worker = worker
        self.patience_s = PATIENCE_S if patience_s is None else patience_s
        self.clock = clock
        self._last: dict[TopicPartition, int] = {}
        self._since: dict[TopicPartition, float] = {}
        self._looked_at = clock()
        self._unknown = 0

    def stuck(self) -> str:
        """Say which partition has stood still for too long while it has lag, or nothing. Never raises."""
        now = self.clock()
        if now - self._looked_at < self.patience_s / 4:
            return ""
        self._looked_at = now
        if self.worker.away:
            self._since.clear()  # The database is: nothing moves, and a new consumer would not help.
            return ""
        try:
            found = self._lagging(self._still(now))
            self._unknown = 0
            return found
        except DatabaseError:
            return ""
        except KafkaError as error:
            self._unknown += 1  # A broker that is away looks the same as a client that lost its way: try a new one, seldom.
            return f"Kafka did not answer {self._unknown} times ({error})" if self._unknown % UNKNOWN_IN_A_ROW == 0 else ""

    def _still(self, now: float) -> dict[TopicPartition, int]:
        """Where partitions are that have not moved for so long: the worker's own, or all of them where it has none."""
        places = self._own() or self._everybodys()
        self._since = {tp: now if place != self._last.get(tp) else self._since.get(tp, now) for tp, place in places.items()}
        self._last = places
        return {tp: place for tp, place in places.items() if now - self._since[tp] >= self.patience_s}

    def _own(self) -> dict[TopicPartition, int]:
        """Where the worker's partitions stand; -1 where it has not begun."""
        stored = self.worker.positions
        return {tp: stored[tp].next_offset if tp in stored else -1 for tp in self.worker.consumer.assignment()}

    def _everybodys(self) -> dict[TopicPartition, int]:
        """Where the database stands: partitions that belong to nobody move for nobody."""
        rows = IngestOffset.objects.using(self.worker.using).filter(topic=self.worker.topic)
        stored = dict(rows.values_list("partition", "next_offset"))
        numbers = self.worker.consumer.partitions_for_topic(self.worker.topic) or ()
        return {TopicPartition(self.worker.topic, number): stored.get(number, -1) for number in numbers}

    def _lagging(self, still: dict[TopicPartition, int]) -> str:
        if not still:
            return ""
        for tp, end in self.worker.consumer.end_offsets(list(still), timeout_ms=ANSWER_WITHIN_MS).items():
            if end > self._read(tp, still[tp]):
                name = f"{tp.topic}-{tp.partition}"
                return f"{name} has stood at {still[tp]} for {self.patience_s:.0f} s, and its log goes to {end}"
            self._since.pop(tp)
        return ""

    def _read(self, tp: TopicPartition, stored: int) -> int:
        """Up to where the consumer has read: behind transaction markers that is more than what was stored."""
        position = self.worker.consumer.position(tp, timeout_ms=ANSWER_WITHIN_MS) if tp in self.worker.positions else None
        return max(stored, 0) if position is None else int(position)
