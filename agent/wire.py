"""Samples to bytes: wire format version 1 (docs/wire-format.md). The server decodes with other code; golden files tie the two."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.samples import Host, Sample

MOST_SAMPLES = 500
MOST_BYTES = 256 * 1024
EVENT_TYPE = "corehour.usage.v1"


@dataclass(frozen=True, slots=True)
class Numbered:
    """A sample with its place in the stream, and the machine as it was then."""

    seq: int
    host: Host
    sample: Sample


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka record. `timestamp_ms` None means the time of sending; only version 0 has to say another one."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message and the half-open run of seq [first, end) that it carries."""

    message: Message
    first: int
    end: int


def envelopes(machine: str, stream: str, numbered: Sequence[Numbered]) -> Iterator[Envelope]:
    """Pack samples, in order, into as few messages as the limits allow. One message speaks of one host."""
    start = 0
    while start < len(numbered):
        end = start + 1
        while end < len(numbered) and end - start < MOST_SAMPLES and numbered[end].host == numbered[start].host:
            end += 1
        yield from _fitting(machine, stream, numbered[start:end])
        start = end


def _fitting(machine: str, stream: str, batch: Sequence[Numbered]) -> Iterator[Envelope]:
    message = encode(machine, stream, batch)
    if len(message.value) <= MOST_BYTES:
        yield Envelope(message, batch[0].seq, batch[-1].seq + 1)
        return
    if len(batch) == 1:
        raise ValueError(f"sample {batch[0].seq} alone is over {MOST_BYTES} bytes")
    yield from _fitting(machine, stream, batch[: len(batch) // 2])
    yield from _fitting(machine, stream, batch[len(batch) // 2 :])


def encode(machine: str, stream: str, batch: Sequence[Numbered]) -> Message:
    """One message of 1 to 500 samples that share a host. The same samples are always the same bytes."""
    if not 1 <= len(batch) <= MOST_SAMPLES:
        raise ValueError(f"a message carries 1 to {MOST_SAMPLES} samples, not {len(batch)}")
    host = batch[0].host
    body = {
        "machine": machine,
        "stream": stream,
        "host": {"cores": host.cores, "memory_mib": host.memory_mib},
        "samples": [_body(numbered) for numbered in batch],
    }
    return Message(machine.encode(), json.dumps(body, separators=(",", ":")).encode(), _headers(machine, stream, batch))


def _body(numbered: Numbered) -> dict[str, int]:
    sample = numbered.sample
    return {"seq": numbered.seq, "start": sample.start_ms, "end": sample.end_ms, **sample.quantities()}


def _headers(machine: str, stream: str, batch: Sequence[Numbered]) -> tuple[tuple[str, bytes], ...]:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{stream}:{batch[0].seq}".encode()),
        ("ce_source", f"/machines/{machine}".encode()),
        ("ce_type", EVENT_TYPE.encode()),
        ("ce_time", rfc3339(batch[-1].sample.end_ms).encode()),
        ("content-type", b"application/json"),
    )


def rfc3339(epoch_ms: int) -> str:
    seconds, milliseconds = divmod(epoch_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def encode_reading(machine: str, cpu_micro_percent: int, memory_micro_percent: int, at_ms: int) -> Message:
    """The paper's bare message, version 0: percent at the instant that Kafka's timestamp names. It has no identity of its own."""
    cpu, memory = _decimal(cpu_micro_percent), _decimal(memory_micro_percent)
    value = f'{{"machine_id":{json.dumps(machine)},"cpu_usage":{cpu},"memory_usage":{memory}}}'
    return Message(machine.encode(), value.encode(), timestamp_ms=at_ms)


def _decimal(micro: int) -> str:
    whole, rest = divmod(micro, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
