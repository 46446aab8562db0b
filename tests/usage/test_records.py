"""The quick reader of record batches yields what Kafka's client yields, whatever a producer wrote."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

from agent.samples import Host, Sample
from agent.wire import Numbered, encode
from usage.records import _Reader, read_quickly, unpacked
from usage.wire import RawMessage

TOPIC, PARTITION, LOG_ID = "resource_usage", 3, "log"
PLACE = TopicPartition(TOPIC, PARTITION)
STREAM = "0192f1e4-0000-7000-8000-000000000001"
GZIP = 1
Sent = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]

headers = st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=200)), max_size=8)
messages = st.tuples(st.integers(0, 2**40), st.none() | st.binary(max_size=90), st.none() | st.binary(max_size=300), headers)


def _batch(sent: list[Sent], *, codec: int = 0, base_offset: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 10_000_000)
    for number, (timestamp, key, value, given_headers) in enumerate(sent):
        builder.append(number, timestamp, key, value, given_headers)
    made = bytearray(builder.build())
    made[:8] = base_offset.to_bytes(8, "big")  # As the broker does; the checksum begins behind it.
    return bytes(made)


def _agents(seq: int) -> Sent:
    message = encode("web-1", STREAM, [Numbered(seq, Host(8, 1024), Sample(1_764_028_800_000, 1_764_028_810_000, cpu_ms=5))])
    return 1_764_028_810_000 + seq, message.key, message.value, list(message.headers)


def _as_the_client_reads(made: bytes) -> list[RawMessage]:
    batch = DefaultRecordBatch(made)
    return [RawMessage(TOPIC, LOG_ID, PARTITION, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in batch]


def _take(reader: type[Any], made: bytes, begin: int = 0) -> tuple[list[Any], int]:
    part = reader(begin, PLACE, MemoryRecords(made))
    return part.take(100_000), part.next_fetch_offset


@settings(max_examples=100, deadline=None)
@given(st.lists(messages, min_size=1, max_size=9), st.sampled_from([0, GZIP]), st.integers(0, 2**40))
def test_records_are_what_the_client_reads(sent: list[Sent], codec: int, base_offset: int) -> None:
    made = _batch(sent, codec=codec, base_offset=base_offset)

    assert list(unpacked(PLACE, LOG_ID, DefaultRecordBatch(made))) == _as_the_client_reads(made)


def test_the_agents_own_messages_are_what_the_client_reads() -> None:
    made = _batch([_agents(seq) for seq in (0, 7, 2**40)], base_offset=2**33)

    found = list(unpacked(PLACE, LOG_ID, DefaultRecordBatch(made)))

    assert found == _as_the_client_reads(made)
    assert dict(found[2].headers)["ce_id"] == f"{STREAM}:{2**40}".encode()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bytes_gone_bad_are_read_as_the_client_reads_them_or_refused(data: st.DataObject) -> None:
    made = bytearray(_batch([_agents(seq) for seq in range(2)]))
    at = data.draw(st.integers(61, len(made) - 1))
    made[at] = data.draw(st.integers(0, 255))
    expected, found = None, None
    with contextlib.suppress(CorruptRecordError, UnicodeDecodeError, MemoryError, OverflowError):
        expected = _as_the_client_reads(bytes(made))
    with contextlib.suppress(CorruptRecordError):
        found = list(unpacked(PLACE, LOG_ID, DefaultRecordBatch(bytes(made))))

    assert found is None or found == expected


def test_a_fetch_that_begins_inside_a_batch_and_spans_two_is_counted_alike() -> None:
    made = _batch([_agents(seq) for seq in range(5)], base_offset=10) + _batch([_agents(5)], base_offset=15)

    found, behind = _take(_Reader, made, begin=12)
    expected, expected_behind = _take(Fetcher.PartitionRecords, made, begin=12)

    assert [record.offset for record in found] == [record.offset for record in expected] == [12, 13, 14, 15]
    assert (behind, expected_behind) == (16, 16)


def test_a_batch_whose_checksum_is_wrong_is_refused() -> None:
    made = bytearray(_batch([_agents(0)]))
    assert len(_take(_Reader, bytes(made))[0]) == 1
    made[-1] ^= 1

    with pytest.raises(CorruptRecordError, match="checksum"):
        _take(_Reader, bytes(made))


def test_a_consumer_is_given_the_reader() -> None:
    class Consumer:
        _fetcher = Fetcher.__new__(Fetcher)

    consumer = read_quickly(Consumer())
    consumer.log_ids[PLACE] = LOG_ID

    found, _ = _take(consumer._fetcher.PartitionRecords, _batch([_agents(0)]))

    assert issubclass(consumer._fetcher.PartitionRecords, _Reader)
    assert [raw.topic_id for raw in found] == [LOG_ID]
