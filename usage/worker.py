"""Kafka to database, one batch and one transaction at a time. The loop is in the command; `step` is its unit.

The database knows where each partition stands; Kafka's own committed offset is a courtesy to lag tools. Rebalance
callbacks run on the client's IO thread, so they only set a flag.
"""

import gc
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, connections
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from usage import metrics
from usage.batch import look_ahead
from usage.fetched import Part, fitting, parts
from usage.ingest import BatchResult, PoisonGuard, store
from usage.live import LivePush
from usage.models import IngestOffset
from usage.offsets import LostOwnership, Position, accept_loss, open_offset
from usage.wire import Limits, RawMessage

log = logging.getLogger(__name__)
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
QUIET_S = 30.0
MUCH_BYTES = 128 * 1024  # From so much on it is worth while to read what follows meanwhile.
TAKES_IN_ALONE = ("postgresql",)  # SQLite works in this process: reading ahead would only hold its lock for longer.
COLLECT_EVERY_S = 2.0
JOIN_S = 2.0  # A poll that ends while the group deals begins joining anew: on a busy machine short ones never get through.
# PostgreSQL ends a session that was stopped in the middle of a transaction with an InternalError.
AWAY = (OperationalError, InterfaceError, InternalError)


class LossFound(Exception):
    """Messages that the database has not seen are gone from Kafka. The text names them and says how to go on."""


class _Flag(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """Remembers that partitions came or went, and whether the group has dealt them out at all."""

    def __init__(self) -> None:
        self.raised = True
        self.joined = False

    def on_partitions_revoked(self, revoked: Any) -> None:
        self.raised = True

    def on_partitions_assigned(self, assigned: Any) -> None:
        self.raised = self.joined = True

    def on_partitions_lost(self, lost: Any) -> None:
        self.raised = True


@dataclass(slots=True)
class Outage:
    """How often in a row the database was away, when to try again, and when that was last said."""

    count: int = 0
    retry_at: float = 0.0
    said_at: float = -QUIET_S


class Worker:
    """Owns a consumer. `step` may be called for ever; `close` gives the partitions back."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        topic: str,
        *,
        max_age_ms: int,
        live: LivePush | None = None,
        accept_loss: bool = False,
        max_records: int = 20_000,
        using: str = "default",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.consumer = consumer
        self.topic = topic
        self.max_age_ms = max_age_ms
        self.live = live
        self.accept_loss = accept_loss
        self.max_records = max_records
        self.using = using
        self.clock = clock
        self.positions: dict[TopicPartition, IngestOffset] = {}
        self.total = BatchResult()
        self.fenced = 0
        self._fitting = min(max_records, 1_000)  # Records in one poll: until their size is known, few.
        self._parts: deque[Part] = deque()  # Fetched and not stored yet.
        self._missed: KafkaError | None = None  # What went wrong when they were to be fetched ahead.
        self._collected_at = 0.0
        self._guard = PoisonGuard()
        self._flag = _Flag()
        self._outage = Outage()
        consumer.subscribe([topic], listener=self._flag)

    def step(self, timeout_s: float = 1.0) -> BatchResult:
        """Store at most one fetch of each owned partition. Return what became of its messages.

        Rows, buckets, rejects and the next offset share one transaction, so a crash at any point replays the whole
        batch or none of it. Kafka's own commit comes last and may fail. Raise LossFound or TooMuchPoison where a
        person has to decide.
        """
        if (rest := self._outage.retry_at - time.monotonic()) > 0:
            return self._hold(min(timeout_s, rest))
        self._collect()
        try:
            self.consumer.resume(*self.consumer.paused())
            return self._fetch_and_store(timeout_s)
        except AWAY as error:
            self._begin_outage(error)
            return BatchResult()

    def caught_up(self, ends: dict[int, int]) -> bool:
        """Whether the database has stored up to these offsets, by partition, whoever stored them.

        Not before this worker has opened its share, even of nothing: only opening finds out what Kafka has lost.
        """
        if self._flag.raised or not self._flag.joined:
            return False
        rows = IngestOffset.objects.using(self.using).filter(topic=self.topic)
        stored = dict(rows.values_list("partition", "next_offset"))
        return all(stored.get(partition, 0) >= end for partition, end in ends.items())

    def ends(self) -> dict[int, int]:
        """Return the end of each partition's log as of now. Empty partitions that nobody opened count as 0."""
        partitions = [TopicPartition(self.topic, number) for number in self.consumer.partitions_for_topic(self.topic) or ()]
        return {tp.partition: end for tp, end in self.consumer.end_offsets(partitions).items()}

    def close(self) -> None:
        """Leave the group at once, so that another worker takes over without waiting."""
        self.consumer.close(autocommit=False)

    @property
    def away(self) -> bool:
        """Whether the database did not answer last time."""
        return self._outage.count > 0

    def renew(self, consumer: KafkaConsumer) -> None:
        """Go on with another consumer, from where the database stands. What was counted stays."""
        self.consumer = consumer
        self.positions = {}
        self._parts.clear()
        self._missed = None
        self._flag = _Flag()
        consumer.subscribe([self.topic], listener=self._flag)

    def _fetch_and_store(self, timeout_s: float) -> BatchResult:
        if not self._parts:
            self._fetch(max(timeout_s, JOIN_S) if self._flag.raised else timeout_s)
        if self._flag.raised or self.positions.keys() != self.consumer.assignment():
            self._reopen()  # What was fetched began where Kafka thought; the database may know better.
            return BatchResult()
        result = BatchResult()
        for _ in range(len(self._parts)):
            result += self._store(self._parts.popleft())
        return result

    def _fetch(self, timeout_s: float) -> None:
        if self._missed is not None:
            missed, self._missed = self._missed, None
            raise missed
        self._parts.extend(parts(self._poll(timeout_s)))

    def _look_ahead(self) -> None:
        """While the database is at work: have the next part fetched and read. Whatever goes wrong is the next step's."""
        if not self._parts:
            try:
                self._fetch(0)
            except KafkaError as error:
                self._missed = error
        if self._parts and not self._parts[0].looks:
            following = self._parts[0]
            following.looks = look_ahead(following.messages, self._limits(), self.using)

    def _limits(self) -> Limits:
        return Limits(int(self.clock() * 1000), self.max_age_ms)

    def _poll(self, timeout_s: float) -> dict[TopicPartition, list[RawMessage]]:
        try:
            fetched: dict[TopicPartition, list[RawMessage]] = self.consumer.poll(
                timeout_ms=int(timeout_s * 1000), max_records=self._fitting
            )
            self._fitting = min(self.max_records, fitting(fetched) or self._fitting)
            return fetched
        except NoOffsetForPartitionError:
            self._flag.raised = True  # Newly assigned, and nobody told Kafka where to begin: the database will.
            return {}
        except OffsetOutOfRangeError:
            self.positions.clear()  # Retention overtook us; opening names the range.
            self._flag.raised = True
            return {}

    def _reopen(self) -> None:
        """Seek every owned partition to where the database stands."""
        if not self._topic_id() or not self._cluster_id():
            return  # Not told yet by the broker: an unknown name must not pass for another topic.
        self._flag.raised = False
        self.positions = {}
        self._parts.clear()
        owned = sorted(self.consumer.assignment())
        begins = self.consumer.beginning_offsets(owned) if owned else {}
        ends = self.consumer.end_offsets(owned) if owned else {}
        for tp in owned:
            row = self._open(tp, begins[tp], ends[tp])
            self.consumer.log_ids[tp] = row.log_id
            self.consumer.seek(tp, row.next_offset)
            self.positions[tp] = row

    def _open(self, tp: TopicPartition, begin: int, end: int) -> IngestOffset:
        found = IngestOffset(
            topic=tp.topic, partition=tp.partition, cluster_id=self._cluster_id(), topic_id=self._topic_id(), first_offset=begin
        )
        row = open_offset(found, self.using)
        loss = _loss(row, found, end)
        if loss and not self.accept_loss:
            raise LossFound(f"{loss} Nothing was stored from here on. To go on without it: consume_usage --accept-loss")
        if loss:
            log.warning("%s Accepted, as --accept-loss says", loss)
            found.first_offset = end if _tail_is_lost(row, found, end) else begin
            return accept_loss(row, found, loss, self.using)
        return row

    def _topic_id(self) -> str:
        return str(self.consumer._cluster.topic_id(self.topic) or "")

    def _cluster_id(self) -> str:
        return str(self.consumer._cluster.cluster_id or "")

    def _store(self, part: Part) -> BatchResult:
        row = self.positions.get(part.tp)
        if row is None or row.topic_id != self._topic_id():
            self._flag.raised = True
            return BatchResult()
        part = part.unseen(row.next_offset, row.log_id)
        if not part.messages:
            return BatchResult()
        limits = self._limits()
        position = Position(row.topic, row.topic_id, row.partition, row.next_offset, self.using)
        worth_while = part.size() >= MUCH_BYTES and connections[self.using].vendor in TAKES_IN_ALONE
        meanwhile = self._look_ahead if worth_while else None
        try:
            with metrics.BATCH_SECONDS.time():
                result = store(position, part.messages, limits, self._guard, looks=part.looks, meanwhile=meanwhile)
        except LostOwnership as lost:
            self.fenced += 1
            metrics.FENCED.inc()
            log.info("%s: reloading", lost)
            self.positions.pop(part.tp, None)
            self._flag.raised = True
            return BatchResult()
        row.next_offset = part.messages[-1].offset + 1
        self._after_commit(part.tp, row, result, limits.now_ms)
        return result

    def _after_commit(self, tp: TopicPartition, row: IngestOffset, result: BatchResult, now_ms: int) -> None:
        """Everything here may fail or be lost: the batch is stored."""
        self._end_outage()
        if result.new:
            metrics.NEWEST.set(result.newest_ms / 1000)
        if self.live is not None:
            self.live.add(result.new, now_ms)
        result.new = []
        self.total += result
        try:
            self.consumer.commit_async({tp: OffsetAndMetadata(row.next_offset, "", -1)})
        except KafkaError as error:
            log.debug("Kafka did not take the courtesy commit: %s", error)

    def _begin_outage(self, error: Exception) -> None:
        """The database is away: hold the partitions, fetch nothing, and start again from what it says when it is back."""
        outage = self._outage
        outage.retry_at = time.monotonic() + BACK_OFF_S[min(outage.count, len(BACK_OFF_S) - 1)]
        outage.count += 1
        metrics.OUTAGES.inc()
        if time.monotonic() - outage.said_at >= QUIET_S:
            outage.said_at = time.monotonic()
            log.warning("The database does not answer (%s); nothing is lost, trying again", str(error).strip().split("\n")[0])
        connections[self.using].close()
        self.positions = {}
        self._parts.clear()
        self._flag.raised = True
        self.consumer.pause(*self.consumer.assignment())

    def _hold(self, timeout_s: float) -> BatchResult:
        """Keep polling while paused, so that the group keeps this member; newly assigned partitions are held too."""
        self.consumer.pause(*self.consumer.assignment())
        self._poll(timeout_s)
        return BatchResult()

    def _collect(self) -> None:
        """Where `spare_the_collector` was called: look for cycles now and then, between batches, when there is little to walk."""
        if not gc.isenabled() and time.monotonic() - self._collected_at >= COLLECT_EVERY_S:
            gc.collect()
            self._collected_at = time.monotonic()

    def _end_outage(self) -> None:
        if self._outage.count:
            log.info("The database answers again after %d tries", self._outage.count)
            self._outage = Outage()


def spare_the_collector() -> None:
    """Call once in a worker's process: the garbage collector leaves alone what is loaded, and comes only between batches.

    A batch is tens of thousands of small objects without a cycle among them; walking them again and again took a third
    of the worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def _tail_is_lost(row: IngestOffset, found: IngestOffset, end: int) -> bool:
    return row.topic_id == found.topic_id and row.cluster_id == found.cluster_id and end < row.next_offset


def _loss(row: IngestOffset, found: IngestOffset, end: int) -> str:
    """Say which messages can never be read, or nothing."""
    name = f"{row.topic}-{row.partition}"
    if (row.topic_id, row.cluster_id) != (found.topic_id, found.cluster_id):
        return (
            f"{name} is another topic than the one stored from: topic id {found.topic_id} in cluster {found.cluster_id}, before "
            f"{row.topic_id} in {row.cluster_id}. Whatever the old one held from offset {row.next_offset} on was not stored."
        )
    if found.first_offset > row.next_offset:
        return f"{name}: offsets {row.next_offset} to {found.first_offset - 1} were deleted by retention before they were stored."
    if _tail_is_lost(row, found, end):
        return f"{name} ends at offset {end}, before {row.next_offset}, up to which it was stored: Kafka lost its log's tail."
    return ""
