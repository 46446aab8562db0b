"""What the API has promised to programs, line by line: `python -m tests.api_promises [--write] [--break]`.

tests/data/api_promises.txt is made from docs/openapi.yaml. A line that vanishes, or a new thing that requests need, breaks
programs that were written before: --write refuses it unless --break says that it is meant. What is new is promised when
--write is run, before a release.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "tests" / "data" / "api_promises.txt"
DEEPEST = 8


def promises(description: dict[str, Any]) -> set[str]:
    """Return a line for each operation, for what it takes and needs, and for every field that it answers."""
    found = set()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            found |= {name, *(f"{name} {line}" for line in _of(operation, description))}
    return found


def _of(operation: dict[str, Any], description: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", []):
        yield f"takes {parameter['in']} {parameter['name']}"
        if parameter.get("required"):
            yield f"needs {parameter['in']} {parameter['name']}"
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield from (f"takes {line}" for line in _fields(media["schema"], description))
        yield from (f"needs {line}" for line in _resolved(media["schema"], description).get("required", []))
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield f"answers {status}"
            for media, content in answer.get("content", {}).items():
                yield from (f"answers {status} {media} {line}" for line in _fields(content.get("schema", {}), description))


def _fields(schema: dict[str, Any], description: dict[str, Any], where: str = "", depth: int = 0) -> Iterator[str]:
    """Yield each field with its type; fields of lists and objects as well."""
    schema = _resolved(schema, description)
    if depth > DEEPEST:
        return
    for part in (*schema.get("allOf", []), *schema.get("oneOf", []), *schema.get("anyOf", [])):
        yield from _fields(part, description, where, depth + 1)
    if "items" in schema:
        yield from _fields(schema["items"], description, f"{where}[]", depth + 1)
    for name, part in schema.get("properties", {}).items():
        kinds = _resolved(part, description).get("type", "any")
        yield f"{where}.{name} {'/'.join(kinds) if isinstance(kinds, list) else kinds}"
        yield from _fields(part, description, f"{where}.{name}", depth + 1)


def _resolved(schema: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def broken(before: set[str], after: set[str]) -> list[str]:
    """Return what programs written for `before` trip over: what is gone, and what old operations need on top."""
    gone = {f"gone: {line}" for line in before - after if " needs " not in line}
    wanted = {f"needed now: {line}" for line in after - before if " needs " in line and line.split(" needs ")[0] in before}
    return sorted(gone | wanted)


def main(arguments: list[str]) -> int:
    now = promises(yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text()))
    problems = broken(set(FILE.read_text().splitlines()) if FILE.exists() else set(), now)
    print("\n".join(problems) or "Nothing is broken.")
    if problems and "--break" not in arguments:
        return 1
    if "--write" in arguments:
        FILE.write_text("\n".join(sorted(now)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
