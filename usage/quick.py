"""First step on the data's way, the short cut: what almost every message is goes from bytes to values in one pass. Pure.

It takes a message only where nothing about it is in doubt, and leaves all others, with the reasons for refusing them, to
the careful reader in wire.py. tests/usage/test_quick.py holds that the two never differ.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec

from usage import wire
from usage.wire import (
    MAX_BYTES_A_MS,
    MAX_DISK_MIB,
    MAX_INTERVAL_MS,
    MICRO,
    Limits,
    Message,
    RawMessage,
    Row,
    machine_id,
    stream_id,
)
from usage.wire_errors import Refused

_Amount = Annotated[int, msgspec.Meta(ge=0, lt=wire.MAX_INTEGER)]


class _Host(msgspec.Struct, gc=False):
    cores: Annotated[int, msgspec.Meta(ge=1, le=wire.MAX_CORES)]
    memory_mib: Annotated[int, msgspec.Meta(ge=1, le=wire.MAX_MEMORY_MIB)]


class _Sample(msgspec.Struct, gc=False):
    seq: _Amount
    start: _Amount
    end: _Amount
    cpu_ms: _Amount
    memory_mib_ms: _Amount
    disk_mib_ms: _Amount
    net_rx: _Amount
    net_tx: _Amount
    disk_read: _Amount
    disk_write: _Amount


class _Body(msgspec.Struct, gc=False):
    machine: str
    stream: str
    host: _Host
    samples: Annotated[list[_Sample], msgspec.Meta(min_length=1, max_length=wire.MAX_SAMPLES)]


_decode_body: Callable[[bytes], _Body] = msgspec.json.Decoder(_Body, strict=True).decode
_VERSION, _TYPE = ("ce_specversion", b"1.0"), ("ce_type", wire.CURRENT_TYPE.encode())
_tuple = tuple.__new__  # A named tuple's own constructor takes twice as long.
HUNDRED_TWICE = 2 * 100 * MICRO


def decode(raw: RawMessage, limits: Limits) -> Message:
    """Return the message's values. Raise Refused with a reason where it is malformed or breaks a bound."""
    return plain(raw, limits) or wire.decode(raw, limits)


def plain(raw: RawMessage, limits: Limits) -> Message | None:
    """Return a message of the current format that is valid beyond doubt, or nothing."""
    value, key = raw.value, raw.key
    if value is None or key is None or not _addressed(raw, key) or len(value) > wire.MAX_BYTES:
        return None
    try:
        body = _decode_body(value)
        machine, stream = machine_id(body.machine), stream_id(body.stream)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Refused):
        return None
    # A body of exactly the known fields has so many quotation marks: no field is unknown, and none stands twice.
    if value.count(b'"') != wire.QUOTES + wire.QUOTES_A_SAMPLE * len(body.samples) or key != machine.encode():
        return None
    host = body.host
    rows = _rows(body.samples, host, limits)
    return None if rows is None else Message(1, machine, stream, host.cores, host.memory_mib, rows)


def _addressed(raw: RawMessage, key: bytes) -> bool:
    """Whether the headers name the current type and the key's machine, as an agent writes them or in any order."""
    headers = raw.headers
    source = b"/machines/" + key
    if len(headers) > 3 and headers[0] == _VERSION and headers[2] == ("ce_source", source) and headers[3] == _TYPE:
        return headers[1][0] == "ce_id"  # Of a repeated name the first counts, so what follows does not matter.
    named = dict(headers)
    return len(named) == len(headers) and _VERSION in headers and _TYPE in headers and named.get("ce_source") == source


def _rows(samples: list[_Sample], host: _Host, limits: Limits) -> tuple[Row, ...] | None:
    """The samples as rows, if each keeps every bound; wire.py says what the bounds mean."""
    cores, memory_mib = host.cores, host.memory_mib
    oldest, newest = limits.now_ms - limits.max_age_ms, limits.now_ms + wire.MAX_FUTURE_MS
    rows = []
    for s in samples:
        start, end, cpu, memory = s.start, s.end, s.cpu_ms, s.memory_mib_ms
        received, sent, read, written = s.net_rx, s.net_tx, s.disk_read, s.disk_write
        length = end - start
        cpu_most, memory_most, moved_most = cores * length, memory_mib * length, MAX_BYTES_A_MS * length
        if (
            (start < oldest or end > newest or length <= 0 or length > MAX_INTERVAL_MS)
            or (cpu * 100 > cpu_most * 105 or memory * 100 > memory_most * 105 or s.disk_mib_ms > MAX_DISK_MIB * length)
            or (received > moved_most or sent > moved_most or read > moved_most or written > moved_most)
        ):
            return None
        cpu_upct = (HUNDRED_TWICE * cpu + cpu_most) // (2 * cpu_most)
        memory_upct = (HUNDRED_TWICE * memory + memory_most) // (2 * memory_most)
        rows.append(
            _tuple(Row, (s.seq, start, end, cpu, memory, s.disk_mib_ms, received, sent, read, written, cpu_upct, memory_upct))
        )
    return tuple(rows)
