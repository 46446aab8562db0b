"""How the API says no, whatever the reason."""

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.throttling import UserRateThrottle

from tests.cast import a_customer, with_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


def test_a_stranger_gets_a_problem_with_the_requests_id() -> None:
    answer = Client().get("/api/v1/machines/")

    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert (body["title"], body["status"], body["instance"]) == ("Unauthorized", 401, "/api/v1/machines/")
    assert body["request_id"] == answer["X-Request-Id"]


def test_the_askers_request_id_is_kept_if_it_is_a_sane_one() -> None:
    kept = Client().get("/api/v1/machines/", headers={"x-request-id": "build-17.3"})
    replaced = Client().get("/api/v1/machines/", headers={"x-request-id": "<script>"})

    assert (kept["X-Request-Id"], kept.json()["request_id"]) == ("build-17.3", "build-17.3")
    assert "<" not in replaced["X-Request-Id"]


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v2/machines/", "/api/", "/api/v1/machines"])
def test_an_address_that_does_not_exist_is_a_problem_too(path: str) -> None:
    answer = Client().get(path)

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["detail"] == f"There is no {path} here. /api/docs/ lists what there is."


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_the_api_only_reads(method: str) -> None:
    client = with_key(a_customer())

    answer = getattr(client, method)("/api/v1/machines/")

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")


def test_too_many_requests_say_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "2/min"})
    client = with_key(a_customer())

    answers = [client.get("/api/v1/machines/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert answers[2]["Content-Type"] == "application/problem+json"


def test_our_own_failure_is_a_problem_too(monkeypatch: pytest.MonkeyPatch) -> None:
    client = with_key(a_customer())
    client.raise_request_exception = False
    monkeypatch.setattr("accounts.api.visible_customers", lambda _: 1 / 0)

    answer = client.get("/api/v1/customers/")

    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert answer.json()["request_id"] == answer["X-Request-Id"]
    assert "division" not in answer.content.decode()
