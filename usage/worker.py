"""Kafka to database, one batch and one transaction at a time. The loop is in the command; `step` is its unit.

The database knows where each partition stands; Kafka's own committed offset is a courtesy to lag tools. Rebalance
callbacks run on the client's IO thread, so they only set a flag.
"""

import gc
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, connections
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from usage import metrics
from usage.ingest import BatchResult, LostOwnership, PoisonGuard, Position, accept_loss, open_offset, store
from usage.live import LivePush
from usage.models import IngestOffset
from usage.wire import Limits, RawMessage

log = logging.getLogger(__name__)
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_POLL_BYTES = 2 * MAX_BATCH_BYTES
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
QUIET_S = 30.0
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
        self._flag = _Flag()
        consumer.subscribe([self.topic], listener=self._flag)

    def _fetch_and_store(self, timeout_s: float) -> BatchResult:
        fetched = self._poll(max(timeout_s, JOIN_S) if self._flag.raised else timeout_s)
        if self._flag.raised or self.positions.keys() != self.consumer.assignment():
            self._reopen()  # What was fetched began where Kafka thought; the database may know better.
            return BatchResult()
        result = BatchResult()
        for tp, records in fetched.items():
            for part in _batches(records):
                result += self._store(tp, part)
        return result

    def _poll(self, timeout_s: float) -> dict[TopicPartition, list[Any]]:
        try:
            fetched: dict[TopicPartition, list[Any]] = self.consumer.poll(
                timeout_ms=int(timeout_s * 1000), max_records=self._fitting
            )
            self._fitting = min(self.max_records, _fitting(fetched) or self._fitting)
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
        owned = sorted(self.consumer.assignment())
        begins = self.consumer.beginning_offsets(owned) if owned else {}
        ends = self.consumer.end_offsets(owned) if owned else {}
        for tp in owned:
            row = self._open(tp, begins[tp], ends[tp])
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

    def _store(self, tp: TopicPartition, records: Sequence[Any]) -> BatchResult:
        row = self.positions.get(tp)
        if row is None or row.topic_id != self._topic_id():
            self._flag.raised = True
            return BatchResult()
        records = _unseen(records, row.next_offset)
        if not records:
            return BatchResult()
        now_ms = int(self.clock() * 1000)
        raws = [_raw(record, row.log_id) for record in records]
        position = Position(row.topic, row.topic_id, row.partition, row.next_offset, self.using)
        try:
            with metrics.BATCH_SECONDS.time():
                result = store(position, raws, Limits(now_ms, self.max_age_ms), self._guard)
        except LostOwnership as lost:
            self.fenced += 1
            metrics.FENCED.inc()
            log.info("%s: reloading", lost)
            self.positions.pop(tp)
            self._flag.raised = True
            return BatchResult()
        row.next_offset = raws[-1].offset + 1
        self._after_commit(tp, row, result, now_ms)
        return result

    def _after_commit(self, tp: TopicPartition, row: IngestOffset, result: BatchResult, now_ms: int) -> None:
        """Everything here may fail or be lost: the batch is stored."""
        self._end_outage()
        if result.new:
            metrics.NEWEST.set(max(rows[-1].end_ms for _, rows in result.new) / 1000)
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
        self._flag.raised = True
        self.consumer.pause(*self.consumer.assignment())

    def _hold(self, timeout_s: float) -> BatchResult:
        """Keep polling while paused, so that the group keeps this member; newly assigned partitions are held too."""
        self.consumer.pause(*self.consumer.assignment())
        self._poll(timeout_s)
        return BatchResult()

    def _end_outage(self) -> None:
        if self._outage.count:
            log.info("The database answers again after %d tries", self._outage.count)
            self._outage = Outage()


def spare_the_collector() -> None:
    """Call once in a worker's process: let the garbage collector leave alone what is loaded, and look seldom at the rest.

    A batch is tens of thousands of small objects without a cycle among them; walking them again and again took a third
    of the worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _raw(record: Any, log_id: str) -> RawMessage:
    return RawMessage(
        record.topic, log_id, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )


def _unseen(records: Sequence[Any], next_offset: int) -> Sequence[Any]:
    """Leave out what is stored already: a client may deliver an offset twice, and the books count each once."""
    if records[0].offset >= next_offset:
        return records
    return [record for record in records if record.offset >= next_offset]


def _fitting(fetched: Mapping[TopicPartition, Sequence[Any]]) -> int:
    """How many records like these fit into one poll: packed ones, decompressed, would fill the memory."""
    count = sum(map(len, fetched.values()))
    size = sum(len(record.value or b"") for records in fetched.values() for record in records)
    return count * MAX_POLL_BYTES // max(1, size)


def _batches(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut a fetch so that no transaction holds more than a few megabytes of messages."""
    first, size = 0, 0
    for at, record in enumerate(records):
        size += len(record.value or b"")
        if size > MAX_BATCH_BYTES and at > first:
            yield records[first:at]
            first, size = at, len(record.value or b"")
    if first < len(records):
        yield records[first:]


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
