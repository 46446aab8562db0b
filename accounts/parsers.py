"""How the API reads a body: JSON that is nested no deeper than anything of ours is, without NaN and Infinity, which are none."""

import re
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MOST_BYTES = 1_000_000
MOST_DEPTH = 20
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class ShallowParser(JSONParser):
    """The API's only parser."""

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(MOST_BYTES * 3)
        if depth_of(body) > MOST_DEPTH:
            raise ParseError(f"At most {MOST_DEPTH} levels of objects and lists.")
        return super().parse(_Read(body), media_type, parser_context)  # type: ignore[arg-type] # DRF only reads it


class _Read:
    """A body that has been read, to be read once more."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def read(self, size: int = -1) -> bytes:
        taken, self.body = (self.body, b"") if size < 0 else (self.body[:size], self.body[size:])
        return taken


def depth_of(body: bytes) -> int:
    """How deep JSON is nested, without parsing it: a deep one could exhaust the parser's stack."""
    depth = deepest = 0
    for sign in re.findall(rb"[\[\]{}]", STRINGS.sub(b"", body)):
        depth += 1 if sign in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
