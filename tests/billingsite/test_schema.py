"""The API's description: complete, committed, and true of what the API answers."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from accounts.models import WebhookDelivery
from tests.access_world import STREAM
from tests.billingsite.test_access import World, world  # noqa: F401 - the same world, asked through the schema

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", "--file", str(file), "--validate", "--fail-on-warn")
    made: dict[str, Any] = yaml.safe_load(file.read_text())
    return made


def test_the_committed_description_is_the_current_one(description: dict[str, Any]) -> None:
    assert yaml.safe_load(COMMITTED.read_text()) == description, "Run: manage.py spectacular --file docs/openapi.yaml"


def test_every_operation_has_a_summary_and_an_example(description: dict[str, Any]) -> None:
    lacking = []
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            status = min(operation["responses"])
            answers = operation["responses"][status].get("content", {})
            has_example = bool(answers) and all(answer.get("examples") for answer in answers.values())
            if not operation.get("summary") or not operation.get("tags") or not (has_example or status == "204"):
                lacking.append(f"{method} {path}")

    assert lacking == []


def resolver_of(description: dict[str, Any], schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema, "components": description["components"]})


def json_operations(description: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    gets = [(path, methods["get"]) for path, methods in description["paths"].items() if "get" in methods]
    found = [(path, operation["responses"]["200"]["content"]) for path, operation in gets]
    return [(path, content["application/json"]) for path, content in found if "application/json" in content]


def test_the_examples_are_what_the_schema_says(description: dict[str, Any]) -> None:
    for path, answer in json_operations(description):
        for example in answer["examples"].values():
            errors = list(resolver_of(description, answer["schema"]).iter_errors(example["value"]))
            assert not errors, f"{path}: {errors[0].message}"


@pytest.mark.django_db
def test_the_answers_are_what_the_schema_says(description: dict[str, Any], world: World) -> None:  # noqa: F811 - a fixture
    cache.clear()
    queries = {"/api/v1/samples/": "?machine=acme-1", "/api/v1/machines/{code}/watermark": f"?stream={STREAM}"}
    webhook = WebhookDelivery.objects.get().endpoint_id
    for path, answer in json_operations(description):
        url = path.replace("customers/{code}", "customers/acme").replace("{code}", "acme-1").replace(
            "{number}", world.number
        ).replace("{note}", world.number.replace("CH", "CN")) + queries.get(path, "")
        url = url.replace("webhooks/{id}", f"webhooks/{webhook}")

        body = world.clients["key"].get(url)

        assert body.status_code == 200, f"{url}: {body.content!r}"
        errors = list(resolver_of(description, answer["schema"]).iter_errors(json.loads(body.content)))
        assert not errors, f"{path}: {errors[0].message} at {list(errors[0].absolute_path)}"


@pytest.mark.django_db
def test_the_page_asks_nothing_of_another_host() -> None:
    page = Client().get("/api/docs/").content.decode()

    assert "swagger-ui-bundle" in page
    assert "//cdn" not in page
    assert "https://" not in page.replace("https://github.com/tfranzel/drf-spectacular", "")


@pytest.mark.django_db
def test_the_description_is_served_to_everybody() -> None:
    answer = Client().get("/api/schema/")

    assert answer.status_code == 200
    assert answer.content.decode().startswith("openapi: 3.1.0")
