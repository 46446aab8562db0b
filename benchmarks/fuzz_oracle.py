"""The wire format a second time, slow and plain, straight from docs/wire-format.md and with no code of the decoder's.

It says which rows a message means, or that it must be refused; a third answer is for what the page leaves open.
"""

import json
import re
import uuid
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from usage.wire import Limits, RawMessage

FIELDS = ("seq", "start", "end", "cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write")
Rows = list[tuple[int, ...]]


class Invalid(Exception):
    """The message must be refused."""


class Open(Exception):
    """The page does not say: JSON deeper than a reader goes, numbers longer than any field's in fields that nobody reads."""


class Number:
    """A JSON number that is no integer as written, or too long for one."""

    def __init__(self, text: str) -> None:
        self.text = text


def meaning(raw: RawMessage, limits: Limits) -> tuple[str, uuid.UUID, Rows]:
    """Return machine, stream and rows. Raise Invalid or Open."""
    value = raw.value or b""
    _need(len(value) <= 262_144)
    kinds = [content for name, content in raw.headers if name == "ce_type"]
    tree = _parse(value)
    _need(isinstance(tree, dict))
    if not kinds:
        return _reading(tree, raw, limits)
    _need(re.fullmatch(rb"corehour\.usage\.v1(\..*)?", kinds[0], re.DOTALL) is not None)
    versions = [content for name, content in raw.headers if name == "ce_specversion"]
    _need(not versions or versions[0].startswith(b"1."))
    return _message(tree, raw, limits)


def _need(holds: bool) -> None:
    if not holds:
        raise Invalid


def _parse(value: bytes) -> Any:
    try:
        return json.loads(
            value.decode(), object_pairs_hook=_object, parse_float=Number, parse_int=_integer, parse_constant=_no_constant
        )
    except RecursionError:
        raise Open from None
    except ValueError:
        raise Invalid from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _need(len({name for name, _ in pairs}) == len(pairs))
    return dict(pairs)


def _integer(text: str) -> int | Number:
    return Number(text) if len(text.lstrip("-")) > 19 else int(text)


def _no_constant(name: str) -> None:
    raise Invalid


def _message(tree: dict[str, Any], raw: RawMessage, limits: Limits) -> tuple[str, uuid.UUID, Rows]:
    machine, stream, samples = (tree.get(name) for name in ("machine", "stream", "samples"))
    host: Any = tree.get("host")
    _need(isinstance(machine, str) and re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", machine) is not None)
    _need(isinstance(stream, str) and re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", stream) is not None)
    if not isinstance(samples, list) or not isinstance(host, dict):
        raise Invalid
    _need(1 <= len(samples) <= 500)
    cores, memory = _whole(host.get("cores")), _whole(host.get("memory_mib"))
    _need(1 <= cores <= 65_536 and 1 <= memory <= 2**30)
    _need(raw.key == str(machine).encode())
    sources = [content for name, content in raw.headers if name == "ce_source"]
    _need(not sources or sources[0] == f"/machines/{machine}".encode())
    rows = [_row(one, cores, memory, limits) for one in samples]
    if _odd(tree):
        raise Open
    return str(machine), uuid.UUID(stream), rows


def _row(sample: Any, cores: int, memory: int, limits: Limits) -> tuple[int, ...]:
    _need(isinstance(sample, dict))
    values = [_whole(sample.get(name)) for name in FIELDS]
    seq, start, end, cpu, memory_used, disk, *moved = values
    length = end - start
    _need(min(values) >= 0 and seq < 2**63 - 1 and max(values) < 2**63 and 0 < length <= 3_600_000)
    _need(Fraction(cpu) <= Fraction(105, 100) * cores * length and Fraction(memory_used) <= Fraction(105, 100) * memory * length)
    _need(disk <= 2**31 * length and max(moved) <= 2**28 * length)
    _need(end <= limits.now_ms + 300_000 and start >= limits.now_ms - limits.max_age_ms)
    return (*values, _half_up(Fraction(cpu * 10**8, cores * length)), _half_up(Fraction(memory_used * 10**8, memory * length)))


def _reading(tree: dict[str, Any], raw: RawMessage, limits: Limits) -> tuple[str, uuid.UUID, Rows]:
    named = tree.get("machine_id")
    _need(isinstance(named, str | int | Number) and not isinstance(named, bool))
    if isinstance(named, Number):
        raise Open if named.text.lstrip("-").isdigit() else Invalid
    _need(re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", str(named)) is not None)
    cpu, memory = _percent(tree.get("cpu_usage")), _percent(tree.get("memory_usage"))
    at = raw.timestamp_ms
    _need(at >= 0 and limits.now_ms - limits.max_age_ms <= at <= limits.now_ms + 300_000)
    if _odd(tree):
        raise Open
    space = uuid.UUID("8f0c8e6e-54b5-5c7e-9b1a-3f6d5a7c2e10")
    return str(named), uuid.uuid5(space, f"{raw.topic_id}/{raw.partition}"), [(raw.offset, at, at, *(0,) * 7, cpu, memory)]


def _percent(number: Any) -> int:
    _need(isinstance(number, int | Number) and not isinstance(number, bool))
    try:
        percent = Decimal(number.text if isinstance(number, Number) else number)
    except InvalidOperation:  # An exponent of twenty digits.
        raise Open from None
    _need(0 <= percent <= 105)
    return 0 if percent.adjusted() < -20 else _half_up(Fraction(percent) * 10**6)


def _whole(number: Any) -> int:
    _need(type(number) is int)
    return int(number)


def _half_up(exact: Fraction) -> int:
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _odd(tree: Any) -> bool:
    """Whether a message holds, anywhere, what a reader may stumble over: overlong numbers, exponents, half a character."""
    if isinstance(tree, dict):
        return any(_odd(name) or _odd(content) for name, content in tree.items())
    if isinstance(tree, list):
        return any(map(_odd, tree))
    if isinstance(tree, Number):
        return len(tree.text) > 19 or "e" in tree.text.lower()
    return isinstance(tree, str) and any("\ud800" <= letter <= "\udfff" for letter in tree)
