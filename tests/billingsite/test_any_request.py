"""Requests that schemathesis makes up from the API's description: right ones and wrong ones, as each kind of asker.

Nothing answers 5xx, every status and content is one that the description names, and what is no valid request is refused.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import settings
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as effort
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup

from tests.access_world import build
from tests.any_request import CASES, FEW

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor == "postgresql" and CASES not in os.environ, reason="CI makes them up once, on SQLite"),
]
WHO = ("owner", "billing", "viewer", "stranger", "key+", "operator")
SEED = 8
ASKED = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection",
]  # fmt: skip
AGENTS = r"/api/v1/(enrol|agent)/"  # These speak the agent's own protocol and are signed; tests/usage tries them.
CASES_IN_ALL = int(os.environ.get(CASES, FEW))
counted: Counter[str] = Counter()


@pytest.fixture(scope="module")
def schema() -> Any:
    """The description as the product serves it, with the product behind it."""
    return schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application()).exclude(path_regex=AGENTS)


@pytest.fixture(scope="module", autouse=True)
def _connections_stay() -> Iterator[None]:
    """As in Django's own test client: the world is in a transaction, and the description is read before there is one."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def _signed(client: Client) -> dict[str, str]:
    """What a program or a browser of that asker sends along."""
    token = "a" * 32
    if given := client.defaults.get("HTTP_AUTHORIZATION"):
        return {"Authorization": str(given)}
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={token}", "X-CSRFToken": token}


def _ask(case: Any, headers: dict[str, str]) -> Any:
    """Make a request whose changes are gone after it, so that each meets the same world."""
    counted[case.operation.label] += 1
    if sum(counted.values()) % 100 == 0:
        cache.clear()  # The rate of requests.
    with transaction.atomic():
        response = case.call(headers=headers)
        transaction.set_rollback(True)
    return response


def _effort(examples: int) -> effort:
    return effort(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def _answered(case: Any, headers: dict[str, str]) -> list[str]:
    """Make a request, and say what of its answer the description does not allow."""
    try:
        case.validate_response(_ask(case, headers), checks=CHECKS.get_by_names(ASKED), headers=headers)
    except FailureGroup as failures:
        return [f"{case.operation.label}: {failure}" for failure in failures.exceptions]
    return []


@pytest.mark.parametrize("who", WHO)
def test_whatever_is_asked_is_answered_as_described(schema: Any, who: str) -> None:
    cache.clear()
    headers = _signed(build().clients[who])
    operations = [each.ok() for each in schema.get_all_operations()]
    examples = -(-CASES_IN_ALL // (len(operations) * len(WHO) * len(GenerationMode)))
    problems: list[str] = []

    for operation in operations:
        for mode in GenerationMode:

            @seed(SEED)
            @_effort(examples)
            @given(case=operation.as_strategy(mode))
            def ask(case: Any) -> None:
                problems.extend(_answered(case, headers))

            ask()

    assert problems == []
