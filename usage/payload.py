"""A refused message's bytes, made readable for the person who has to judge them. Pure."""

import base64
import json
from collections.abc import Iterable
from typing import Any

SHOWN = 20_000


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


def readable_headers(headers: Iterable[Iterable[str]]) -> str:
    """Return one `name: value` a line, of pairs of a name and a base64 value."""
    return "\n".join(f"{name}: {base64.b64decode(value).decode('utf-8', 'backslashreplace')}" for name, value in headers)
