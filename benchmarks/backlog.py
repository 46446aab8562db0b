"""A topic full of messages that nobody has read, as the agent itself encodes them."""

import contextlib
import time
import uuid
from collections.abc import Iterator

from kafka import KafkaProducer

from agent.samples import Host, Sample
from agent.wire import Message, Numbered, encode
from billingsite.broker import ensure_topic

PARTITIONS = 2
STEP_MS = 10_000
HOST = Host(cores=8, memory_mib=32_768)


def fill(bootstrap: str, topic: str, *, samples: int, per_message: int, machines: int, compression: str | None = None) -> int:
    """Make the topic and send the samples, machines in turn, up to now. Return the number of messages."""
    ensure_topic(bootstrap, topic, partitions=PARTITIONS)
    count = 0
    options = {"linger_ms": 50, "batch_size": 128 * 1024, "compression_type": compression}
    with contextlib.closing(KafkaProducer(bootstrap_servers=bootstrap, **options)) as producer:
        for number, message in _messages(samples, per_message, machines):
            producer.send(
                topic, key=message.key, value=message.value, headers=list(message.headers), partition=number % PARTITIONS
            )
            count += 1
        producer.flush()
    return count


def _messages(samples: int, per_message: int, machines: int) -> Iterator[tuple[int, Message]]:
    """Yield (number of the machine, message), every machine's samples without a gap."""
    streams = [str(uuid.uuid4()) for _ in range(machines)]
    rounds = -(-samples // (per_message * machines))
    first_ms = time.time_ns() // 1_000_000 - rounds * per_message * STEP_MS
    left = samples
    for start in range(0, rounds * per_message, per_message):
        for number in range(machines):
            size = min(per_message, left)
            if not size:
                return
            left -= size
            batch = [_numbered(seq, number, first_ms) for seq in range(start, start + size)]
            yield number, encode(f"m-{number}", streams[number], batch)


def _numbered(seq: int, number: int, first_ms: int) -> Numbered:
    """The amounts have as many digits as those of a real machine."""
    start = first_ms + seq * STEP_MS
    sample = Sample(
        start_ms=start,
        end_ms=start + STEP_MS,
        cpu_ms=(seq * 7919 + number * 31) % 80_000,
        memory_mib_ms=163_840_000 + seq * 1009,
        disk_mib_ms=2_048_000_000 + seq * 10_007,
        net_rx=120_394 + seq,
        net_tx=88_123 + number,
        disk_read=number * 512,
        disk_write=40_960 + seq,
    )
    return Numbered(seq, HOST, sample)
