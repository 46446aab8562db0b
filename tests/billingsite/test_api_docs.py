"""docs/api.md is true: every request on the page is made, and every answer has at least the shape that is printed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.billingsite.test_access import World, world  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"```http\nGET (\S+)\n```\n(?:\n```json\n(.+?)\n```)?", PAGE, re.DOTALL)

POSTED = re.findall(r"```http\nPOST (\S+)\n\n(\{.+?\})\n```\n\n```json\n(.+?)\n```", PAGE, re.DOTALL)


def differences(printed: Any, real: Any, where: str = "") -> list[str]:
    """Where a real answer lacks what is printed, or has another type there. Values may differ: the clock moves on."""
    if isinstance(printed, dict) and isinstance(real, dict):
        missing = [f"{where}.{key} is missing" for key in printed if key not in real]
        return missing + [
            line for key in printed if key in real for line in differences(printed[key], real[key], f"{where}.{key}")
        ]
    if isinstance(printed, list) and isinstance(real, list):
        return differences(printed[0], real[0], f"{where}[0]") if printed and real else [f"{where} is empty"] * bool(printed)
    same = type(printed) is type(real) or printed is None or real is None
    return [] if same else [f"{where} is {real!r}, not like {printed!r}"]


@pytest.mark.parametrize(("request_line", "printed"), EXAMPLES, ids=[url for url, _ in EXAMPLES])
def test_an_example_is_true(world: World, request_line: str, printed: str) -> None:  # noqa: F811 - a fixture
    expected = json.loads(printed) if printed else {}
    status = 400 if expected.get("status") == 400 else 200

    answer = world.clients["key"].get(request_line.replace("CH-2026-0001", world.number))

    assert answer.status_code == status
    if printed:
        assert differences(expected, answer.json()) == []


@pytest.mark.parametrize(("url", "asked", "printed"), POSTED, ids=[url for url, _, _ in POSTED])
def test_a_posted_example_is_answered_as_printed(world: World, url: str, asked: str, printed: str) -> None:  # noqa: F811
    answer = world.clients["key"].post(url, asked, content_type="application/json")

    assert answer.status_code == 200
    assert differences(json.loads(printed), answer.json()) == []


def test_the_page_shows_every_operation() -> None:
    described = (Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text()
    paths = re.findall(r"^  (/api/v1/\S+):$", described, re.MULTILINE)
    shown = [url.split("?")[0].replace("acme-1", "{code}").replace("CH-2026-0001", "{number}") for url, _ in EXAMPLES]
    shown += [url for url, _, _ in POSTED]

    assert len(paths) >= 12
    assert set(paths) == set(shown)


@pytest.mark.parametrize(
    ("printed", "real", "found"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, []),
        ({"a": 1}, {"b": 1}, [".a is missing"]),
        ({"a": [{"b": "x"}]}, {"a": [{"b": 5}]}, [".a[0].b is 5, not like 'x'"]),
        ({"a": [1]}, {"a": []}, [".a is empty"]),
    ],
)
def test_differences_are_found(printed: Any, real: Any, found: list[str]) -> None:
    assert differences(printed, real) == found
