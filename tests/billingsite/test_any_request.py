"""Requests that schemathesis makes up from the API's description: right ones and wrong ones, as each kind of asker; each by
itself, and in stories, where what one request made or found is what the next one asks for.

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
from hypothesis.stateful import run_state_machine_as_test
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
UNAUTHORISED = 401
STEPS = 8
STORIES = max(1, CASES_IN_ALL // (10 * STEPS * len(WHO)))  # So that about a tenth of the requests are in stories.
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


Signed = dict[str, dict[str, str]]


def _signed(client: Client) -> Signed:
    """The headers and cookies that a program or a browser of that asker sends along."""
    token = "a" * 32
    if given := client.defaults.get("HTTP_AUTHORIZATION"):
        return {"headers": {"Authorization": str(given)}}
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = {settings.SESSION_COOKIE_NAME: session, settings.CSRF_COOKIE_NAME: token}
    return {"headers": {"X-CSRFToken": token}, "cookies": cookies}


def _call(case: Any, signed: Signed) -> Any:
    """Make a request as the asker, whatever else the description's own means of signing in made up for it."""
    case.headers.pop("Authorization", None)
    case.cookies.clear()
    response = case.call(**signed)
    assert response.status_code != UNAUTHORISED, "the asker is somebody, or nothing of this is tried"
    return response


def _ask(case: Any, signed: Signed) -> Any:
    """Make a request whose changes are gone after it, so that each meets the same world."""
    counted[case.operation.label] += 1
    if sum(counted.values()) % 100 == 0:
        cache.clear()  # The rate of requests.
    with transaction.atomic():
        response = _call(case, signed)
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


def _answered(case: Any, signed: Signed) -> list[str]:
    """Make a request, and say what of its answer the description does not allow."""
    return _found_wrong(case, _ask(case, signed))


def _found_wrong(case: Any, response: Any) -> list[str]:
    try:
        case.validate_response(response, checks=CHECKS.get_by_names(ASKED))
    except FailureGroup as failures:
        return [f"{case.operation.label}: {failure}" for failure in failures.exceptions]
    return []


@pytest.mark.parametrize("who", WHO)
def test_whatever_is_asked_is_answered_as_described(schema: Any, who: str) -> None:
    cache.clear()
    signed = _signed(build().clients[who])
    operations = [each.ok() for each in schema.get_all_operations()]
    examples = -(-CASES_IN_ALL // (len(operations) * len(WHO) * len(GenerationMode)))
    problems: list[str] = []

    for operation in operations:
        for mode in GenerationMode:

            @seed(SEED)
            @_effort(examples)
            @given(case=operation.as_strategy(mode))
            def ask(case: Any) -> None:
                problems.extend(_answered(case, signed))

            ask()

    assert problems == []


@pytest.mark.parametrize("who", WHO)
def test_what_follows_from_an_answer_is_answered_as_described(schema: Any, who: str) -> None:
    cache.clear()
    signed = _signed(build().clients[who])
    problems: list[str] = []
    machine: Any = schema.as_state_machine()

    class Story(machine):  # type: ignore[misc] # made of the description
        def setup(self) -> None:
            self.world = transaction.atomic()
            self.world.__enter__()

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.world.__exit__(None, None, None)

        def call(self, case: Any, **more: Any) -> Any:
            counted[f"then {case.operation.label}"] += 1
            cache.clear()
            return _call(case, signed)

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            problems.extend(_found_wrong(case, response))

    run_state_machine_as_test(Story, settings=effort(_effort(STORIES), stateful_step_count=STEPS, derandomize=True))

    assert problems == []
