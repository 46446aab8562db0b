"""Messages that nobody would send on purpose: valid ones, changed at the level of JSON, of numbers, of bytes and of headers."""

import json
import random
from collections.abc import Callable
from typing import Any

from usage.wire import RawMessage

NOW_MS = 1_796_052_600_000
TOPIC_ID = "6a0e0d2c-0000-4000-8000-00000000000a"
HEADERS = (("ce_specversion", b"1.0"), ("ce_source", b"/machines/web-1"), ("ce_type", b"corehour.usage.v1"))
NUMBERS = (
    *("0", "-0", "-1", "1", "2", "00", "+1", "1.0", "1.5", "1e3", "1E400", "-1e-400", "1e99999999999999999999", "0.0000005"),
    *("100", "105", "105.0000001", "300000", "3600000", "3600001", "65536", "65537", "1073741824", "1073741825", "2147483649"),
    *("9007199254740993", "9223372036854775806", "9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("18446744073709551616", "9" * 19, "9" * 20, "9" * 5_000, "NaN", "Infinity", "-Infinity"),
)
VALUES = (
    "null",
    "true",
    "false",
    "[]",
    "{}",
    '""',
    '"0"',
    '"\\u0000"',
    '"\\ud800"',
    '"web-1"',
    '"web-2"',
    '"Web 1"',
    '{"a":{"a":[1]}}',
)
TOKENS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"\\u0073",
    b"\xff",
    b"\xc3\x28",
    b"\xef\xbb\xbf",
    b"\x00",
    b" ",
    b"\n",
)
NAMES = (
    "machine",
    "stream",
    "host",
    "samples",
    "seq",
    "start",
    "end",
    "cpu_ms",
    "cores",
    "x",
    "",
    "s\\u0065q",
    "machine_id",
    "cpu_usage",
)
KEYS = (None, b"", b"web-1", b"web-2", b"\xff", b"WEB-1", b"web-1 ")
TYPES = (
    b"corehour.usage.v1",
    b"corehour.usage.v1.7",
    b"corehour.usage.v2",
    b"corehour.usage.v11",
    b"corehour.usage.v",
    b"",
    b"\xff",
)


EDGE = 35 * 86_400_000  # How old a sample may be.


class Fuzzer:
    """Makes inputs without end, the same ones from the same seed. Whoever tries them hands back what led somewhere new."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.valid = [seed_message(samples) for samples in (1, 1, 1, 2, 5)] + [paper_message()] * 2
        self.found: list[RawMessage] = []
        self.kept = 0
        self.pieces: list[str] = []

    def keep(self, raw: RawMessage) -> None:
        """Remember an input for further changes, a thousand at most."""
        if len(raw.value or b"") > 10_000:
            return
        if self.kept < 1_000:
            self.found.append(raw)
        else:
            self.found[self.kept % 1_000] = raw
        self.kept += 1

    def next(self) -> RawMessage:
        """Change one message a few times."""
        chance = self.chance
        raw = chance.choice(self.found if self.found and chance.random() < 0.4 else self.valid)
        value, key, headers, at = raw.value or b"", raw.key, raw.headers, raw.timestamp_ms
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
            where = chance.random()
            if where < 0.65:
                value = self._json(value)
            elif where < 0.85:
                value = chance.choice(BYTES)(chance, value)
            elif where < 0.95:
                key, headers = self._envelope(key, headers)
            else:
                at = chance.choice((-1, 0, NOW_MS, NOW_MS + 300_000, NOW_MS + 300_001, NOW_MS - EDGE, NOW_MS - EDGE - 1, 2**62))
        return RawMessage("resource_usage", TOPIC_ID, 0, chance.randrange(2**40), at, key, value, headers)

    def _json(self, value: bytes) -> bytes:
        """Change the tree; what is no JSON any more is changed as bytes."""
        try:
            tree = json.loads(value)
            self.pieces = []
            changed = edged(self.chance, tree) if self.chance.random() < 0.35 else self._changed(tree)
            return self._written(changed).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return self.chance.choice(BYTES)(self.chance, value)

    def _raw(self, text: str) -> str:
        """A piece of JSON that is written as it stands: a mark until then."""
        self.pieces.append(text)
        return f"@{len(self.pieces) - 1}@"

    def _written(self, tree: Any) -> str:
        text = json.dumps(tree, ensure_ascii=False)
        for number in reversed(range(len(self.pieces))):
            text = text.replace(f'"@{number}@"', self.pieces[number])
        return text

    def _changed(self, tree: Any) -> Any:
        """Walk down to some node and change it."""
        if isinstance(tree, dict) and tree and self.chance.random() < 0.75:
            name = self.chance.choice(list(tree))
            return tree | {name: self._changed(tree[name])}
        if isinstance(tree, list) and tree and self.chance.random() < 0.8:
            at = self.chance.randrange(len(tree))
            return [*tree[:at], self._changed(tree[at]), *tree[at + 1 :]]
        return self._replaced(tree)

    def _replaced(self, node: Any) -> Any:
        chance = self.chance
        if isinstance(node, dict) and chance.random() < 0.7:
            return self._object(node)
        if isinstance(node, list) and chance.random() < 0.7:
            return self._list(node)
        if isinstance(node, int) and chance.random() < 0.6:
            return node + chance.choice((-1, 1, -1000, 1000, 10**6, node, -2 * node, chance.randrange(-(2**40), 2**40)))
        if isinstance(node, str) and chance.random() < 0.6:
            return self._text(node)
        return self._raw(chance.choice(NUMBERS if chance.random() < 0.6 else VALUES))

    def _object(self, node: dict[str, Any]) -> Any:
        chance = self.chance
        what = chance.randrange(5)
        if what == 0:
            return {name: content for name, content in node.items() if chance.random() < 0.8}
        if what == 1:
            return node | {chance.choice(NAMES): self._raw(chance.choice(NUMBERS + VALUES))}
        if what == 2 and node:  # A name that stands twice.
            twice = chance.choice(list(node))
            return self._raw(f"{json.dumps(node)[:-1]}, {json.dumps(twice)}: {json.dumps(node[twice])}}}")
        if what == 3 and len(node) > 1:
            one, other = chance.sample(list(node), 2)
            return node | {one: node[other], other: node[one]}
        return dict(chance.sample(list(node.items()), len(node)))

    def _list(self, node: list[Any]) -> list[Any]:
        what = self.chance.randrange(4)
        if what == 0:
            return node + node
        if what == 1 and node:
            return node * (self.chance.choice((499, 500, 501)) // len(node))
        return node[1:] if what == 2 else self.chance.sample(node, len(node))

    def _text(self, text: str) -> str:
        chance = self.chance
        at = chance.randrange(len(text) + 1)
        letter = chance.choice(("", "-", "A", "z", "0", "é", "\0", " ", '"', "\\", "/", "\u2028", "x" * 70))
        return chance.choice((text[:at] + letter + text[at:], text[:at] + letter + text[at + 1 :], text.upper(), text[::-1]))

    def _envelope(self, key: bytes | None, headers: Any) -> tuple[bytes | None, Any]:
        chance = self.chance
        what = chance.randrange(5)
        if what == 0:
            return chance.choice(KEYS), headers
        if what == 1:
            return key, tuple(header for header in headers if chance.random() < 0.6)
        if what == 2:
            return key, (*headers, ("ce_type", chance.choice(TYPES)))
        if what == 3:
            return key, (("ce_type", chance.choice(TYPES)), *headers)
        name = chance.choice(("ce_source", "ce_specversion", "ce_id", "x"))
        return key, ((name, chance.choice((b"", b"1.1", b"2.0", b"/machines/web-2", b"\xff"))), *headers)


def edged(chance: random.Random, tree: Any) -> Any:
    """Put one number of a message on a bound of the wire format, or next to it."""
    if not isinstance(tree, dict):
        return tree
    off = chance.choice((-1, 0, 1))
    if "machine_id" in tree:
        return tree | {chance.choice(("cpu_usage", "memory_usage")): chance.choice((0, 105, 37.5, 1e-7, 0.0000005)) + off}
    try:
        host, samples = tree["host"], list(tree["samples"])
        at = chance.randrange(len(samples))
        sample = samples[at]
        length = sample["end"] - sample["start"]
        if not all(isinstance(number, int) for number in (host["cores"], host["memory_mib"], sample["start"])):
            return tree  # A text times a number is a long text.
        samples[at] = sample | _edge(chance, host, sample, length, off)
        if chance.random() < 0.1:
            host = host | {chance.choice(("cores", "memory_mib")): chance.choice((1, 65_536, 2**30)) + off}
    except (KeyError, TypeError, IndexError, ValueError):
        return tree
    return tree | {"host": host, "samples": samples}


def _edge(chance: random.Random, host: Any, sample: Any, length: int, off: int) -> dict[str, Any]:
    bounds = {
        "seq": (0, 2**63 - 2, 2**63 - 1),
        "start": (NOW_MS - EDGE, sample["end"] - 3_600_000, sample["end"] - 1, 0),
        "end": (NOW_MS + 300_000, sample["start"] + 3_600_000, sample["start"] + 1, 2**63 - 1),
        "cpu_ms": (0, host["cores"] * length * 105 // 100),
        "memory_mib_ms": (0, host["memory_mib"] * length * 105 // 100),
        "disk_mib_ms": (0, 2**31 * length, 2**63 - 1),
        **dict.fromkeys(("net_rx", "net_tx", "disk_read", "disk_write"), (0, 2**28 * length, 2**63 - 1)),
    }
    name = chance.choice(list(bounds))
    return {name: chance.choice(bounds[name]) + off}


def seed_message(samples: int) -> RawMessage:
    """A valid message of the current format."""
    start = NOW_MS - 3_600_000
    rows = [
        {
            "seq": seq, "start": start + seq * 10_000, "end": start + (seq + 1) * 10_000,
            "cpu_ms": 31_250, "memory_mib_ms": 163_840_000,
            "disk_mib_ms": 2_048_000_000, "net_rx": 120_394, "net_tx": 88_123, "disk_read": 0, "disk_write": 40_960,
        }
        for seq in range(samples)
    ]  # fmt: skip
    body = {
        "machine": "web-1",
        "stream": "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f",
        "host": {"cores": 8, "memory_mib": 32_768},
        "samples": rows,
    }
    return RawMessage("resource_usage", TOPIC_ID, 0, 17, NOW_MS, b"web-1", json.dumps(body).encode(), HEADERS)


def paper_message() -> RawMessage:
    """A valid message of version 0."""
    return RawMessage(
        "resource_usage", TOPIC_ID, 0, 17, NOW_MS, None, b'{"machine_id": "web-1", "cpu_usage": 37.5, "memory_usage": 61.2}'
    )


def _flip(chance: random.Random, value: bytes) -> bytes:
    if not value:
        return b"\x00"
    at = chance.randrange(len(value))
    return value[:at] + bytes([chance.randrange(256)]) + value[at + 1 :]


def _insert(chance: random.Random, value: bytes) -> bytes:
    at = chance.randrange(len(value) + 1)
    return value[:at] + chance.choice(TOKENS) + value[at:]


def _cut(chance: random.Random, value: bytes) -> bytes:
    first, last = sorted(chance.choices(range(len(value) + 1), k=2))
    return value[:first] + value[last:]


def _repeat(chance: random.Random, value: bytes) -> bytes:
    first, last = sorted(chance.choices(range(len(value) + 1), k=2))
    return value[:last] + value[first:last] + value[last:]


def _digits(chance: random.Random, value: bytes) -> bytes:
    """Put a number where a digit stands."""
    places = [at for at, byte in enumerate(value[:2_000]) if 48 <= byte < 58]
    if not places:
        return value
    at = chance.choice(places)
    return value[:at] + chance.choice(NUMBERS).encode() + value[at + 1 :]


def _deep(chance: random.Random, value: bytes) -> bytes:
    at = chance.randrange(len(value) + 1)
    return value[:at] + chance.choice((b"[", b'{"a":')) * chance.choice((10, 500, 2_000)) + value[at:]


def _large(chance: random.Random, value: bytes) -> bytes:
    """Just below, at and above the size limit, though seldom: such inputs are slow."""
    size = 256 * 1024 + chance.choice((-1, 0, 1)) if chance.random() < 0.02 else len(value) + 10
    return value + b" " * (size - len(value))


BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip,
    _flip,
    _insert,
    _insert,
    _cut,
    _repeat,
    _digits,
    _digits,
    _deep,
    _large,
)
