"""Kafka's record batches to records, several times as fast as the client does it. No Django, no database.

A message of one sample costs more to take out of its batch than to store. `read_quickly` hands a consumer a reader that
knows by heart what the agent's headers look like, and reads all others one by one. What it yields is what the client
would; tests/usage/test_records.py compares the two.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.errors import CorruptRecordError

from usage.wire import RawMessage

Headers = tuple[tuple[str, Any], ...]  # A value is bytes, or nothing where a producer wrote none.
LogIds = dict[TopicPartition, str]
CURRENT_FORMAT: Final = 2
LOG_APPEND_TIME: Final = 1
MACHINES_REMEMBERED: Final = 20_000


def read_quickly(consumer: KafkaConsumer) -> KafkaConsumer:
    """Let this consumer's polls return messages that are read here.

    Its new `log_ids` name the log of each partition; what was read before one is named has none.
    """
    consumer.log_ids = {}
    consumer._fetcher.PartitionRecords = type("Reader", (_Reader,), {"log_ids": consumer.log_ids})
    return consumer


class _Reader(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """The client's own bookkeeping of what was fetched of one partition, with another way from bytes to messages."""

    log_ids: ClassVar[LogIds] = {}

    def _unpack_records(self, tp: TopicPartition, records: Any, *_: Any) -> Iterator[RawMessage]:
        while (batch := records.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"The batch of {tp} at offset {batch.base_offset} fails its checksum")
            current = batch.magic == CURRENT_FORMAT
            if current:
                self.leader_epoch = batch.leader_epoch
            if not current or self._holds_messages(batch):
                for record in unpacked(tp, self.log_ids.get(tp, ""), batch):
                    self.next_fetch_offset = record.offset + 1
                    yield record
            if current:
                self.next_fetch_offset = batch.next_offset  # The last records may have been compacted away.
        self.drain()

    def _holds_messages(self, batch: Any) -> bool:
        """Whether the batch is neither a transaction's marker nor part of an aborted one."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return False
        return not batch.is_control_batch


def unpacked(tp: TopicPartition, log_id: str, batch: Any) -> Iterator[RawMessage]:
    """Return the messages of a batch. Raise CorruptRecordError where the bytes are no records."""
    if batch.magic == CURRENT_FORMAT:
        batch._maybe_uncompress()
        return _records(tp, log_id, batch)
    return (RawMessage(tp.topic, log_id, tp.partition, old.offset, old.timestamp, old.key, old.value) for old in batch)


def _numbers_of_two_bytes() -> Iterator[tuple[bytes, int]]:
    for low in range(128):
        for high in range(128):
            found = low | high << 7
            yield bytes((low | 128, high)), (found >> 1) ^ -(found & 1)


_two = dict(_numbers_of_two_bytes()).get


def _records(tp: TopicPartition, log_id: str, batch: Any) -> Iterator[RawMessage]:  # noqa: C901 a call for each number doubles the time
    """Read record after record. Numbers of one and two bytes, as almost all are, are read in place."""
    topic, partition = tp
    data, at = bytes(batch._buffer), batch._pos
    offset, first_ms = batch.base_offset, batch.first_timestamp
    appended_ms = batch.max_timestamp if batch.timestamp_type == LOG_APPEND_TIME else None
    try:
        for _ in range(batch.records_count):
            length, at = (two, at + 2) if (two := _two(data[at : at + 2])) is not None else number(data, at)
            end = at + length
            at += 1  # A byte of attributes that mean nothing.
            later, at = (two, at + 2) if (two := _two(data[at : at + 2])) is not None else number(data, at)
            place, at = (two, at + 2) if (two := _two(data[at : at + 2])) is not None else number(data, at)
            size, at = ((byte >> 1) ^ -(byte & 1), at + 1) if (byte := data[at]) < 128 else number(data, at)
            key, at = (data[at : at + size], at + size) if size >= 0 else (None, at)
            size, at = (two, at + 2) if (two := _two(data[at : at + 2])) is not None else number(data, at)
            value, at = (data[at : at + size], at + size) if size >= 0 else (None, at)
            stamp = first_ms + later if appended_ms is None else appended_ms
            yield RawMessage(topic, log_id, partition, offset + place, stamp, key, value, _headers(data, at, end))
            at = end
        if at != len(data):
            raise IndexError(f"{len(data) - at} bytes are left")
    except (IndexError, UnicodeDecodeError) as error:
        raise CorruptRecordError(f"The batch of {topic}-{partition} at offset {offset} holds no records: {error}") from None


def number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at this place and the place behind it. Seven bits a byte, the lowest first; the lowest is the sign."""
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return (found >> 1) ^ -(found & 1), at
        shift += 7
        if shift >= 64:
            raise IndexError("a number has more than 64 bits")


# What the agent writes without a signature: `_START`, the name with its size before it, the machine's own part, the time of
# 24 bytes, `_END`. Sizes are doubled, because a number's lowest bit is its sign.
_START = b"\x0c\x1cce_specversion\x061.0\x0ace_id"
_END = b"\x18content-type\x20application/json"
_BEHIND_SOURCE = b"\x0ece_type\x22corehour.usage.v1\x0ece_time\x30"
_TIME_SIZE = 24
_VERSION, _TYPE, _JSON = ("ce_specversion", b"1.0"), ("ce_type", b"corehour.usage.v1"), ("content-type", b"application/json")
_own_part = re.compile(rb"\x12ce_source([\x00-\x7e])(.*)" + re.escape(_BEHIND_SOURCE), re.DOTALL).fullmatch


@lru_cache(MACHINES_REMEMBERED)
def _source(part: bytes) -> tuple[str, bytes] | None:
    """The header that a machine's own part holds, if it is made as the agent's is."""
    found = _own_part(part)
    return ("ce_source", found[2]) if found is not None and found[1][0] == 2 * len(found[2]) else None


def _headers(data: bytes, at: int, end: int) -> Headers:
    if data.startswith(_START, at) and data.startswith(_END, end - len(_END)):
        name_at = at + len(_START) + 1
        size = data[name_at - 1]
        source_at, time_at = name_at + (size >> 1), end - len(_END) - _TIME_SIZE
        if size < 128 and not size & 1 and (source := _source(data[source_at:time_at])) is not None:
            time = data[time_at : time_at + _TIME_SIZE]
            return (_VERSION, ("ce_id", data[name_at:source_at]), source, _TYPE, ("ce_time", time), _JSON)
    return _any_headers(data, at, end)


def _any_headers(data: bytes, at: int, end: int) -> Headers:
    count, at = number(data, at)
    found = []
    for _ in range(count):
        size, at = number(data, at)
        name = data[at : at + size].decode()
        size_of_value, at = number(data, at + size)
        found.append((name, data[at : at + size_of_value] if size_of_value >= 0 else None))
        at += max(size_of_value, 0)
    if at != end or count < 0:
        raise IndexError(f"a record's headers end at {at} and not at {end}")
    return tuple(found)
