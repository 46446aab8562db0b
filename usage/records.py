"""Kafka's record batches to records, several times as fast as the client does it. No Django, no database.

A message of one sample costs more to take out of its batch than to store. `read_quickly` hands a consumer a reader that
knows by heart what the agent's headers look like, and reads all others one by one. What it yields is what the client
would; tests/usage/test_records.py compares the two.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.errors import CorruptRecordError

Headers = tuple[tuple[str, bytes | None], ...]
CURRENT_FORMAT: Final = 2
LOG_APPEND_TIME: Final = 1


class Record(NamedTuple):
    """A message in the log, with the names that kafka-python gives its parts."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def read_quickly(consumer: KafkaConsumer) -> KafkaConsumer:
    """Let this consumer's polls return records that are read here."""
    consumer._fetcher.PartitionRecords = _Reader
    return consumer


class _Reader(Fetcher.PartitionRecords):  # type: ignore[misc] # kafka-python has no types
    """The client's own bookkeeping of what was fetched of one partition, with another way from bytes to records."""

    def _unpack_records(self, tp: TopicPartition, records: Any, *_: Any) -> Iterator[Record]:
        while (batch := records.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"The batch of {tp} at offset {batch.base_offset} fails its checksum")
            current = batch.magic == CURRENT_FORMAT
            if current:
                self.leader_epoch = batch.leader_epoch
            if not current or self._holds_messages(batch):
                for record in unpacked(tp.topic, tp.partition, batch):
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


def unpacked(topic: str, partition: int, batch: Any) -> Iterator[Record]:
    """Return the records of a batch. Raise CorruptRecordError where the bytes are no records."""
    if batch.magic == CURRENT_FORMAT:
        batch._maybe_uncompress()
        return _records(topic, partition, batch)
    return (Record(topic, partition, old.offset, old.timestamp, old.key, old.value, ()) for old in batch)


def _records(topic: str, partition: int, batch: Any) -> Iterator[Record]:  # noqa: C901 a call for each number doubles the time
    """Read record after record. A number of one byte, as almost all are, is read in place."""
    data, at = bytes(batch._buffer), batch._pos
    offset, first_ms = batch.base_offset, batch.first_timestamp
    appended_ms = batch.max_timestamp if batch.timestamp_type == LOG_APPEND_TIME else None
    try:
        for _ in range(batch.records_count):
            length, at = number(data, at)
            end = at + length
            at += 1  # A byte of attributes that mean nothing.
            later, at = ((byte >> 1) ^ -(byte & 1), at + 1) if (byte := data[at]) < 128 else number(data, at)
            place, at = ((byte >> 1) ^ -(byte & 1), at + 1) if (byte := data[at]) < 128 else number(data, at)
            size, at = ((byte >> 1) ^ -(byte & 1), at + 1) if (byte := data[at]) < 128 else number(data, at)
            key, at = (data[at : at + size], at + size) if size >= 0 else (None, at)
            size, at = number(data, at)
            value, at = (data[at : at + size], at + size) if size >= 0 else (None, at)
            stamp = first_ms + later if appended_ms is None else appended_ms
            yield Record(topic, partition, offset + place, stamp, key, value, _headers(data, at, end))
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


# What the agent writes. Sizes are doubled, because a number's lowest bit is its sign.
_agents = re.compile(
    rb"\x0c\x1cce_specversion\x061\.0"
    rb"\x0ace_id(.)([0-9a-f:-]+)"
    rb"\x12ce_source(.)(/machines/[0-9a-z-]+)"
    rb"\x0ece_type\x22corehour\.usage\.v1"
    rb"\x0ece_time\x30([0-9TZ:.-]{24})"
    rb"\x18content-type\x20application/json",
    re.DOTALL,
).fullmatch
_VERSION, _TYPE, _JSON = ("ce_specversion", b"1.0"), ("ce_type", b"corehour.usage.v1"), ("content-type", b"application/json")


def _headers(data: bytes, at: int, end: int) -> Headers:
    if (known := _agents(data, at, end)) is not None:
        id_size, name, source_size, source, time = known.groups()
        if id_size[0] == 2 * len(name) and source_size[0] == 2 * len(source):
            return (_VERSION, ("ce_id", name), ("ce_source", source), _TYPE, ("ce_time", time), _JSON)
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
