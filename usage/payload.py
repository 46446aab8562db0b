"""A refused message's bytes, made readable for the person who has to judge them, and mended as that person says. Pure."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import msgspec

from usage import wire_errors
from usage.wire_errors import Refused

SHOWN = 20_000
HEX_SHOWN = 2_048
HEX_WIDTH = 16
Headers = tuple[tuple[str, bytes], ...]

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def readable(value: bytes) -> str:
    """Return JSON indented; whatever is no JSON, or would lose something by indenting, as it came."""
    text = value.decode("utf-8", "backslashreplace")
    try:
        text = json.dumps(json.loads(value, object_pairs_hook=_no_key_twice), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # Not JSON, not UTF-8, a number too long, or nested too deep.
        pass
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN} characters more"


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("An indented copy would show one of the two.")
    return made


def hexadecimal(value: bytes) -> str:
    """Return the bytes as they are: offset, sixteen of them, and what of those is printable."""
    lines = []
    for at in range(0, min(len(value), HEX_SHOWN), HEX_WIDTH):
        part = value[at : at + HEX_WIDTH]
        plain = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:06x}  {part.hex(' '):<{3 * HEX_WIDTH - 1}}  {plain}")
    more = len(value) - HEX_SHOWN
    return "\n".join([*lines, f"… {more} bytes more"] if more > 0 else lines)


def editable(value: bytes) -> str | None:
    """Return the value as text that a person may edit and give back; None where the bytes are no text."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def readable_headers(headers: Iterable[Iterable[str]]) -> str:
    """Return one `name: value` a line, of pairs of a name and a base64 value."""
    return "\n".join(f"{name}: {base64.b64decode(value).decode('utf-8', 'backslashreplace')}" for name, value in headers)


def reassigned(value: bytes, headers: Headers, machine: str) -> tuple[bytes, Headers]:
    """Return value and headers as if this machine had sent them; every other field stays byte for byte as it was.

    Raise Refused where the value is no JSON object with a machine, or has a key twice.
    """
    machine = wire_errors.machine_id(machine)
    if not isinstance(wire_errors.check(value), dict):
        raise Refused("wrong_type", "the message is no object, so its machine cannot be replaced: edit the value")
    fields = _fields(value)
    name = "machine_id" if "machine_id" in fields and "machine" not in fields else "machine"
    fields[name] = msgspec.Raw(msgspec.json.encode(machine))
    source = f"/machines/{machine}".encode()
    return msgspec.json.encode(fields), tuple((key, source if key == "ce_source" else text) for key, text in headers)
