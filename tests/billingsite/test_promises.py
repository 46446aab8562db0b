"""Programs that were written for the API go on working: whatever was promised to them is still described."""

from typing import Any

import pytest
import yaml

from tests.api_promises import FILE, ROOT, broken, promises


def test_the_api_keeps_every_promise() -> None:
    before = set(FILE.read_text().splitlines())

    now = promises(yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text()))

    assert len(before) > 700
    assert broken(before, now) == []


def described(needs: list[str], fields: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    asked = {"application/json": {"schema": {"$ref": "#/components/schemas/Ask", "type": "object"}}}
    told = {"application/json": {"schema": {"type": "array", "items": {"properties": fields}}}}
    operation = {"requestBody": {"content": asked}, "responses": {"201": {"content": told}, "400": {}}}
    ask = {"properties": {"name": {"type": "string"}, "note": {"type": "string"}}, "required": needs}
    return {"paths": {"/things/": {"post": operation}} | (more or {}), "components": {"schemas": {"Ask": ask}}}


WORD, COUNT = {"type": "string"}, {"type": "integer"}
BEFORE = described(["name"], {"id": COUNT, "code": WORD})
STATUS = "POST /things/ answers 201 application/json"


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (described(["name"], {"id": COUNT, "code": WORD, "new": WORD}), []),
        (described([], {"id": COUNT, "code": WORD}), []),
        (described(["name"], {"id": COUNT}), [f"gone: {STATUS} [].code string"]),
        (described(["name"], {"id": WORD, "code": WORD}), [f"gone: {STATUS} [].id integer"]),
        (described(["name", "note"], {"id": COUNT, "code": WORD}), ["needed now: POST /things/ needs note"]),
        (described(["name"], {"id": COUNT, "code": WORD}, {"/more/": {"get": {"responses": {"200": {}}}}}), []),
    ],
)
def test_what_breaks_a_program_is_told_from_what_does_not(after: dict[str, Any], found: list[str]) -> None:
    assert broken(promises(BEFORE), promises(after)) == found
