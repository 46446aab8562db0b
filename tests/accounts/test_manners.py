"""How the API treats whoever asks: once is once, nobody's change is lost, and limits are told before they are met."""

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Customer, IdempotentAnswer
from accounts.parsers import depth_of
from accounts.people import issue_key
from accounts.scopes import SCOPES
from tests.cast import a_customer, a_machine, a_member, signed_in
from usage.models import Machine

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


def with_all(customer: Customer) -> Client:
    _, secret = issue_key(customer, "all", SCOPES)
    return Client(headers={"authorization": f"Bearer {secret}"})


def make(client: Client, code: str, key: str = "") -> Any:
    headers = {"idempotency-key": key} if key else {}
    return client.post("/api/v1/machines/", {"code": code}, "application/json", headers=headers)


def test_a_request_that_is_sent_again_is_answered_again_and_done_once() -> None:
    client = with_all(a_customer())

    first, again = make(client, "web-9", "order-1"), make(client, "web-9", "order-1")

    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert Machine.objects.count() == 1


def test_without_the_key_the_second_is_refused() -> None:
    client = with_all(a_customer())

    assert [make(client, "web-9").status_code for _ in range(2)] == [201, 400]


def test_a_key_for_another_request_is_422_and_one_under_way_409() -> None:
    client = with_all(a_customer())
    make(client, "web-9", "order-1")

    other = make(client, "web-8", "order-1")
    IdempotentAnswer.objects.update(status=None)
    under_way = make(client, "web-9", "order-1")

    assert (other.status_code, under_way.status_code) == (422, 409)
    assert other["Content-Type"] == "application/problem+json"
    assert Machine.objects.count() == 1


def test_the_same_word_of_two_askers_is_two_keys() -> None:
    acme, bolt = a_customer("acme"), a_customer("bolt")

    answers = [make(with_all(acme), "web-1", "order-1"), make(with_all(bolt), "web-2", "order-1")]

    assert [answer.status_code for answer in answers] == [201, 201]


def test_what_is_kept_of_an_answer_cannot_be_read_from_the_database() -> None:
    make(with_all(a_customer()), "web-secret", "order-1")

    assert b"web-secret" not in bytes(IdempotentAnswer.objects.get().sealed or b"")


def test_a_refused_stranger_leaves_nothing() -> None:
    answer = make(Client(headers={"authorization": "Bearer ch_wrong"}), "web-9", "order-1")

    assert (answer.status_code, IdempotentAnswer.objects.count()) == (401, 0)


def test_whoever_saw_an_older_state_is_told_so() -> None:
    acme = a_customer()
    a_machine(acme)
    client = with_all(acme)
    seen = client.get("/api/v1/machines/web-1/")["ETag"]

    def rename(name: str, **headers: str) -> Any:
        return client.patch("/api/v1/machines/web-1/", {"name": name}, "application/json", headers=headers)

    first, second = rename("One", **{"if-match": seen}), rename("Two", **{"if-match": seen})
    without = rename("Three")

    assert (first.status_code, second.status_code, without.status_code) == (200, 412, 428)
    assert first["ETag"] != seen
    assert Machine.objects.get().name == "One"


def test_the_answer_says_how_much_of_the_rate_is_left() -> None:
    client = with_all(a_customer())

    answers = [client.get("/api/v1/machines/") for _ in range(2)]

    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=599", "r=598"]
    assert answers[0]["RateLimit-Policy"] == '"default";q=600;w=60'


def test_a_large_body_is_refused_before_it_is_read() -> None:
    client = with_all(a_customer())

    answer = client.post("/api/v1/machines/", "x" * 1_000_001, "application/json")

    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")


@pytest.mark.parametrize(("depth", "status"), [(19, 400), (20, 400), (21, 400), (100_000, 400)])
def test_a_deep_body_is_refused_without_parsing_it(depth: int, status: int) -> None:
    client = with_all(a_customer())

    answer = client.post("/api/v1/machines/", "[" * depth + "]" * depth, "application/json")

    assert answer.status_code == status
    assert ("levels" in answer.json()["detail"]) == (depth > 20)


def test_brackets_in_texts_are_no_depth() -> None:
    assert depth_of(json.dumps({"a": "[[[[[[", "b": ["]", '"[[']}).encode()) == 2


@pytest.mark.parametrize("body", ["NaN", '{"code": NaN}', "{", "\udcff", "[]", '"x"', "null"])
def test_what_is_no_object_is_a_problem_and_no_fault(body: str) -> None:
    answer = with_all(a_customer()).post("/api/v1/machines/", body.encode("utf-8", "surrogatepass"), "application/json")

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("field", ["customer", "cores", "memory_mib", "last_seen_at", "id", "created_at"])
def test_a_field_that_is_not_for_writing_is_named_and_refused(field: str) -> None:
    acme = a_customer()
    a_machine(acme)
    client = with_all(acme)

    made = client.post("/api/v1/machines/", {"code": "web-9", field: "bolt"}, "application/json")
    changed = client.patch("/api/v1/machines/web-1/", {field: "bolt"}, "application/json", headers={"if-match": "*"})

    assert (made.status_code, changed.status_code) == (400, 400)
    assert list(changed.json()["errors"]) == [field]


def test_a_session_needs_the_csrf_token_where_a_key_does_not() -> None:
    olga = a_member(a_customer())
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(olga)

    answer = browser.post("/api/v1/machines/", {"code": "web-9"}, "application/json")

    assert answer.status_code == 403
    assert signed_in(olga).post("/api/v1/machines/", {"code": "web-9"}, "application/json").status_code == 201
