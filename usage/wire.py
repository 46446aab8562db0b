"""First step on the data's way: bytes from Kafka to values, or a reason why not. Pure; docs/wire-format.md is the text.

A message of the current format is decoded by typed structs. Whatever those do not take, and whatever could hide a
duplicate key, goes through the slower reader in wire_errors.py, which finds the reason.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from usage import wire_errors
from usage.wire_errors import Refused

MAX_BYTES: Final = 256 * 1024
MAX_SAMPLES: Final = 500
MAX_INTERVAL_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
MAX_FUTURE_MS: Final = 5 * 60 * 1000
MAX_CORES: Final = 65_536
MAX_MEMORY_MIB: Final = 2**30
# Bounds such that a month of one machine, also with all of it sent thirty times over, adds up in eight bytes.
MAX_DISK_MIB: Final = 2**31
MAX_BYTES_A_MS: Final = 2**28
MAX_INTEGER: Final = 2**63 - 1
TYPE_PREFIX: Final = "corehour.usage.v"
CURRENT_TYPE: Final = f"{TYPE_PREFIX}1"
MICRO: Final = 1_000_000
NAMES_REMEMBERED: Final = 16_384  # A machine and its stream come again with every message.
STREAM_SPACE: Final = uuid.UUID("8f0c8e6e-54b5-5c7e-9b1a-3f6d5a7c2e10")


class Row(NamedTuple):
    """One sample, in the order of the database's columns. Times in epoch ms, percent readings in millionths."""

    seq: int
    start_ms: int
    end_ms: int
    cpu_ms: int
    memory_mib_ms: int
    disk_mib_ms: int
    net_rx: int
    net_tx: int
    disk_read: int
    disk_write: int
    cpu_upct: int
    memory_upct: int


class RawMessage(msgspec.Struct, frozen=True, gc=False):
    """What Kafka delivered, and where it came from."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Message(msgspec.Struct, frozen=True, gc=False):
    """A well-formed message. Version 0 is the paper's bare reading: one row, no interval, cores and memory unknown (0)."""

    version: int
    machine: str
    stream: uuid.UUID
    cores: int
    memory_mib: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too new and too old, judged against one clock reading for a whole batch."""

    now_ms: int
    max_age_ms: int


class _Host(msgspec.Struct, gc=False):
    cores: int
    memory_mib: int


class _Sample(msgspec.Struct, gc=False):
    seq: int
    start: int
    end: int
    cpu_ms: int
    memory_mib_ms: int
    disk_mib_ms: int
    net_rx: int
    net_tx: int
    disk_read: int
    disk_write: int


class _Body(msgspec.Struct, gc=False):
    machine: str
    stream: str
    host: _Host
    samples: list[_Sample]


_decode_body: Callable[[bytes], _Body] = msgspec.json.Decoder(_Body, strict=True).decode
# In a body of exactly the known fields: quotation marks of 6 names and 2 texts, and of 10 names a sample.
QUOTES, QUOTES_A_SAMPLE = 16, 20


def decode(raw: RawMessage, limits: Limits) -> Message:
    """Return the message's values. Raise Refused with a reason where it is malformed or breaks a bound."""
    value = raw.value or b""
    if len(value) > MAX_BYTES:
        raise Refused("too_large", f"{len(value)} bytes; the most is {MAX_BYTES}")
    headers = dict(reversed(raw.headers))  # Of a repeated name the first counts.
    if "ce_type" not in headers:
        return _decode_v0(raw, value, limits)
    _check_envelope(headers)
    message = _message(_body(value))
    _check_address(raw.key, headers, message.machine)
    for row in message.rows:
        _check_time(row, limits)
    return message


def identity_stream(topic_id: str, partition: int) -> uuid.UUID:
    """Return the stream under which a partition's version 0 messages are kept, with their offsets as seq."""
    return uuid.uuid5(STREAM_SPACE, f"{topic_id}/{partition}")


def claimed_machine(raw: RawMessage) -> str:
    """Return the machine id that a refused message seems to come from: its key or what it says itself, made printable."""
    named = (raw.key or b"").decode("utf-8", "replace") or wire_errors.named_machine(raw.value or b"")
    return named.replace("\0", "")[:63]


def _check_envelope(headers: dict[str, bytes]) -> None:
    kind = _text(headers["ce_type"])
    if kind != CURRENT_TYPE and (not kind.startswith(TYPE_PREFIX) or kind.removeprefix(TYPE_PREFIX).split(".")[0] != "1"):
        raise Refused("unknown_version", f"ce_type is {kind[:80]!r}; this server reads {CURRENT_TYPE}")
    if (version := headers.get("ce_specversion", b"1.0")) != b"1.0" and not _text(version).startswith("1."):
        raise Refused("unknown_version", f"ce_specversion is {_text(version)[:20]!r}; this server reads 1.0")


def _check_address(key: bytes | None, headers: dict[str, bytes], machine: str) -> None:
    if key != machine.encode():
        raise Refused("foreign_machine", f"the key is {_text(key)[:80]!r}, the message says {machine!r}")
    expected = b"/machines/" + key
    if (source := headers.get("ce_source", expected)) != expected:
        raise Refused("foreign_machine", f"ce_source is {_text(source)[:100]!r}, the message says {machine!r}")


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _body(value: bytes) -> _Body:
    try:
        body = _decode_body(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise wire_errors.explain(value) from None
    if value.count(b'"') != QUOTES + QUOTES_A_SAMPLE * len(body.samples) or b"\\" in value:
        wire_errors.check(value)  # Unknown fields are welcome, a key that stands twice is not.
    return body


def _message(body: _Body) -> Message:
    host = body.host
    if not 1 <= len(body.samples) <= MAX_SAMPLES:
        raise Refused("too_many" if body.samples else "empty", f"{len(body.samples)} samples; 1 to {MAX_SAMPLES} are allowed")
    if not 1 <= host.cores <= MAX_CORES or not 1 <= host.memory_mib <= MAX_MEMORY_MIB:
        raise Refused("out_of_range", f"host has {host.cores} cores and {host.memory_mib} MiB")
    return Message(
        version=1,
        machine=machine_id(body.machine),
        stream=stream_id(body.stream),
        cores=host.cores,
        memory_mib=host.memory_mib,
        rows=tuple([_row(sample, host) for sample in body.samples]),
    )


machine_id = lru_cache(NAMES_REMEMBERED)(wire_errors.machine_id)


@lru_cache(NAMES_REMEMBERED)
def stream_id(text: str) -> uuid.UUID:
    try:
        stream = uuid.UUID(text)
    except ValueError:
        raise Refused("wrong_type", f"stream is {text[:80]!r}, which is no UUID") from None
    if str(stream) != text.lower():
        raise Refused("wrong_type", f"stream is {text[:80]!r}; write it as {stream}")
    return stream


def _row(sample: _Sample, host: _Host) -> Row:
    """Check one sample against the machine that reports it; 5 % tolerance, because clocks and counters tick apart."""
    duration = sample.end - sample.start
    if min(sample.seq, sample.start, sample.cpu_ms, sample.memory_mib_ms, sample.disk_mib_ms) < 0:
        raise Refused("negative", f"sample {sample.seq}")
    if min(sample.net_rx, sample.net_tx, sample.disk_read, sample.disk_write) < 0:
        raise Refused("negative", f"sample {sample.seq}")
    if sample.seq >= MAX_INTEGER or sample.end > MAX_INTEGER:
        raise Refused("out_of_range", f"sample {sample.seq}")
    if duration <= 0:
        raise Refused("bad_interval", f"sample {sample.seq} runs from {sample.start} to {sample.end}")
    if duration > MAX_INTERVAL_MS:
        raise Refused("too_long", f"sample {sample.seq} covers {duration} ms; the most is {MAX_INTERVAL_MS}")
    _check_amounts(sample, host, duration)
    return Row(
        sample.seq,
        sample.start,
        sample.end,
        sample.cpu_ms,
        sample.memory_mib_ms,
        sample.disk_mib_ms,
        sample.net_rx,
        sample.net_tx,
        sample.disk_read,
        sample.disk_write,
        _mean_upct(sample.cpu_ms, host.cores * duration),
        _mean_upct(sample.memory_mib_ms, host.memory_mib * duration),
    )


def _check_amounts(sample: _Sample, host: _Host, duration: int) -> None:
    if sample.cpu_ms * 100 > host.cores * duration * 105:
        raise Refused("too_much_cpu", f"sample {sample.seq}: {sample.cpu_ms} core-ms in {duration} ms on {host.cores} cores")
    if sample.memory_mib_ms * 100 > host.memory_mib * duration * 105:
        raise Refused("too_much_memory", f"sample {sample.seq}: {sample.memory_mib_ms} MiB-ms with {host.memory_mib} MiB")
    if sample.disk_mib_ms > MAX_DISK_MIB * duration:
        raise Refused("out_of_range", f"sample {sample.seq}: {sample.disk_mib_ms} MiB-ms of disk in {duration} ms")
    if max(sample.net_rx, sample.net_tx, sample.disk_read, sample.disk_write) > MAX_BYTES_A_MS * duration:
        raise Refused("out_of_range", f"sample {sample.seq} moved more than {MAX_BYTES_A_MS} bytes a millisecond")


def _mean_upct(used: int, capacity: int) -> int:
    """The mean of an interval in millionths of a percent, half up: what one reading of the paper's tariff would say."""
    return (2 * 100 * MICRO * used + capacity) // (2 * capacity)


def _check_time(row: Row, limits: Limits) -> None:
    if row.end_ms > limits.now_ms + MAX_FUTURE_MS:
        raise Refused("in_future", f"sample {row.seq} ends {(row.end_ms - limits.now_ms) // 1000} s after the server's clock")
    if row.start_ms < limits.now_ms - limits.max_age_ms:
        raise Refused(
            "too_old", f"sample {row.seq} starts {(limits.now_ms - row.start_ms) / DAY_MS:.1f} days before the server's clock"
        )


def _decode_v0(raw: RawMessage, value: bytes, limits: Limits) -> Message:
    """The paper's `{"machine_id", "cpu_usage", "memory_usage"}`: one reading, at Kafka's timestamp, without an interval."""
    machine, cpu, memory = wire_errors.paper_reading(value)
    at = raw.timestamp_ms
    row = Row(raw.offset, at, at, 0, 0, 0, 0, 0, 0, 0, _reading_upct("cpu_usage", cpu), _reading_upct("memory_usage", memory))
    if at < 0:
        raise Refused("wrong_type", "Kafka carries no timestamp, and a reading without a time cannot be billed")
    _check_time(row, limits)
    return Message(0, machine, identity_stream(raw.topic_id, raw.partition), 0, 0, (row,))


def _reading_upct(name: str, percent: Decimal) -> int:
    """A percent reading in millionths, rounded half up where it has more than six decimals."""
    if percent < 0:
        raise Refused("negative", f"{name} is {percent:.3g}")
    if percent > 105:
        raise Refused("too_much_cpu" if name == "cpu_usage" else "too_much_memory", f"{name} is {percent:.6g} percent")
    return int((percent * MICRO + Decimal("0.5")).to_integral_value(rounding="ROUND_FLOOR"))
