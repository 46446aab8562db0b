"""docs/api.md is true: every request on the page is made, and every answer has at least the shape that is printed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from accounts.models import ApiKey, Customer, WebhookDelivery
from accounts.people import set_member
from tests.billingsite.test_access import World, world  # noqa: F401 - a fixture
from usage.enrolment import create_token
from usage.models import Machine

pytestmark = pytest.mark.django_db
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"```http\nGET (\S+)\n```\n(?:\n```json\n(.+?)\n```)?", PAGE, re.DOTALL)

CHANGES = re.findall(
    r"```http\n(POST|PATCH|DELETE) (\S+)\n"
    r"((?:[A-Z][\w-]+: [^\n]+\n)*)(?:\n(\{.+?\})\n)?```\n(?:\n```json\n(.+?)\n```)?",
    PAGE,
    re.DOTALL,
)


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
    request_line = _with_webhooks(request_line)

    note = world.number.replace("CH", "CN")
    answer = world.clients["key"].get(request_line.replace("CH-2026-0001", world.number).replace("CN-2026-0001", note))

    assert answer.status_code == status, answer.content
    if printed:
        assert differences(expected, answer.json()) == []


@pytest.mark.parametrize(
    ("method", "url", "fields", "asked", "printed"), CHANGES, ids=[f"{method} {url}" for method, url, *_ in CHANGES]
)
def test_a_change_is_answered_as_printed(
    world: World,  # noqa: F811 - a fixture
    method: str,
    url: str,
    fields: str,
    asked: str,
    printed: str,
) -> None:
    headers = dict(line.split(": ", 1) for line in fields.splitlines())
    url = _with_webhooks(url)
    url = url.replace("CH-2026-0001", world.number).replace("/members/7/", f"/members/{a_second_member()}/")
    url = url.replace("/keys/3/", f"/keys/{ApiKey.objects.get().pk}/")
    if "/tokens/4/" in url:
        url = url.replace("/4/", f"/{create_token(Machine.objects.get(code='acme-1'))[0].pk}/")

    answer = world.clients["key"].generic(method, url, asked, content_type="application/json", headers=headers)

    assert 200 <= answer.status_code < 300, answer.content
    if printed:
        assert differences(json.loads(printed), answer.json()) == []


def _with_webhooks(url: str) -> str:
    """The page's numbers of webhooks and deliveries are examples; there is one of each."""
    sent = WebhookDelivery.objects.get()
    return url.replace("/deliveries/19/", f"/deliveries/{sent.pk}/").replace("/webhooks/4/", f"/webhooks/{sent.endpoint_id}/")


def a_second_member() -> int:
    return set_member(Customer.objects.get(code="acme"), "vera@acme.example", "viewer").pk


def test_the_page_shows_every_operation() -> None:
    described = (Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text()
    paths = re.findall(r"^  (/api/v1/\S+):$", described, re.MULTILINE)
    shown = [url.split("?")[0].replace("acme-1", "{code}").replace("CH-2026-0001", "{number}") for url, _ in EXAMPLES]
    shown = [url.replace("CN-2026-0001", "{note}") for url in shown]
    shown += [url.split("?")[0].replace("acme-1", "{code}").replace("CH-2026-0001", "{number}") for _, url, *_ in CHANGES]
    shown = [url.replace("/deliveries/19/", "/deliveries/{delivery}/") for url in shown]
    shown = [
        re.sub(r"/(members|keys|tokens|webhooks)/\d+/", r"/\1/{id}/", url.replace("customers/acme/", "customers/{code}/"))
        for url in shown
    ]

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
