"""The desk for programs: the same rules as the page, as JSON, for staff only."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client

from tests.cast import a_customer, a_machine, a_member, an_operator, signed_in, with_key
from tests.usage.build import LIMITS, NOW_MS, TOPIC_ID, body, offset_row, raw, sample
from usage.ingest import store
from usage.models import RejectedMessage, UsageSample
from usage.offsets import Position
from usage.periods import from_ms

pytestmark = pytest.mark.django_db
URL = "/api/v1/rejected-usage/"
WEB_9 = (("ce_type", b"corehour.usage.v1"), ("ce_source", b"/machines/web-9"))


@pytest.fixture(autouse=True)
def _three_refused() -> Iterator[None]:
    cache.clear()
    with time_machine.travel(from_ms(NOW_MS)):
        offset_row()
        a_machine(a_customer(), "web-1")
        records = [raw(body(sample(seq), machine="web-9"), offset=seq, key=b"web-9", headers=WEB_9) for seq in range(2)]
        store(Position("resource_usage", TOPIC_ID, 0, 0), [*records, raw(b"\xff", offset=2)], LIMITS)
        yield


@pytest.fixture
def desk(_three_refused: None) -> Client:
    return signed_in(an_operator())


def _post(client: Client, url: str, **fields: Any) -> Any:
    return client.post(url, json.dumps(fields), content_type="application/json")


def _pk(offset: int) -> int:
    return RejectedMessage.objects.get(offset=offset).pk


def test_it_lists_by_reason_state_and_machine_with_bytes_and_place(desk: Client) -> None:
    everything = desk.get(URL).json()["results"]
    known = desk.get(f"{URL}?reason=unknown_machine&machine=web-9&state=open").json()["results"]

    assert [row["offset"] for row in everything] == [2, 1, 0]
    assert (everything[0]["text"], base64.b64decode(everything[0]["value"])) == (None, b"\xff")
    assert json.loads(known[0]["text"])["machine"] == "web-9"
    assert (known[0]["topic"], known[0]["partition"], known[0]["seq_lo"], known[0]["seq_hi"]) == ("resource_usage", 0, 1, 2)


def test_it_counts_by_reason(desk: Client) -> None:
    counts = desk.get(f"{URL}counts/").json()["results"]

    assert [(count["reason"], count["open"]) for count in counts] == [("unknown_machine", 2), ("not_json", 1)]


def test_a_message_is_given_to_its_machine_and_replayed_once(desk: Client) -> None:
    one = f"{URL}{_pk(0)}/"

    before = _post(desk, f"{one}replay/")
    fixed = _post(desk, f"{one}fix/", machine="web-1", reason="Renamed")
    replayed = _post(desk, f"{one}replay/")
    again = _post(desk, f"{one}replay/")

    assert (before.status_code, before.json()["detail"]) == (409, "unknown_machine: no machine 'web-9' in this installation")
    assert json.loads(base64.b64decode(fixed.json()["fixed_value"]))["machine"] == "web-1"
    assert (replayed.json()["state"], replayed.json()["resolution"]) == ("replayed", "1 sample stored")
    assert (again.status_code, UsageSample.objects.count()) == (409, 1)


def test_a_value_is_replaced_by_base64(desk: Client) -> None:
    one = f"{URL}{_pk(2)}/"

    bad = _post(desk, f"{one}fix/", value="?", reason="Garbled")
    _post(desk, f"{one}fix/", value=base64.b64encode(json.dumps(body(sample(0))).encode()).decode(), reason="Garbled")
    replayed = _post(desk, f"{one}replay/")

    assert (bad.status_code, bad.json()["errors"]) == (400, {"value": ["Must be base64."]})
    assert replayed.json()["replayed_samples"] == 1


def test_discarding_needs_a_reason(desk: Client) -> None:
    one = f"{URL}{_pk(2)}/"

    empty, done = _post(desk, f"{one}discard/"), _post(desk, f"{one}discard/", reason="Noise")

    assert (empty.status_code, done.json()["state"], done.json()["resolution"]) == (400, "discarded", "Noise")


def test_many_at_once_say_what_became_of_them(desk: Client) -> None:
    unsaid = _post(desk, f"{URL}discard/", reason="not_json")
    discarded = _post(desk, f"{URL}discard/", reason="not_json", because="Noise").json()
    replayed = _post(desk, f"{URL}replay/", reason="unknown_machine").json()

    assert unsaid.status_code == 400
    assert (discarded["discarded"], discarded["finished"]) == (1, True)
    assert (replayed["refused"], replayed["refusals"], replayed["finished"]) == (2, {"unknown_machine": 2}, True)


def test_for_everybody_else_there_is_no_desk() -> None:
    acme = a_member(email="olga@acme.example")
    looker = a_member(email="looker@corehour.example", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_rejectedmessage"))
    one = f"{URL}{_pk(0)}/"

    assert Client().get(URL).status_code == 401
    assert signed_in(acme).get(URL).status_code == 404
    assert with_key(a_customer("bolt")).get(one).status_code == 404
    assert signed_in(looker).get(one).status_code == 200
    assert _post(signed_in(looker), f"{one}replay/").status_code == 404
    assert RejectedMessage.objects.filter(state="open").count() == 3
