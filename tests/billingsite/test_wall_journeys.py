"""What people and programs do from end to end, with the web process in its own role and the second wall up."""

import base64
import json
import time
from collections.abc import Iterator

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core import mail
from django.test import Client

from accounts import wall
from accounts.models import AuditEntry, Customer, Mail, Membership, User
from invoices.issued import Invoice
from tests.access_world import bill
from tests.cast import PASSWORD, a_customer, a_machine, a_member, an_operator, with_key
from tests.usage.build import LIMITS, NOW_MS, TOPIC_ID, body, offset_row, raw, sample
from tests.usage.signed import KEY, OTHER_KEY
from tests.walls import in_role, needs_postgres, roles
from usage.enrolment import ENROL_DOMAIN, create_token
from usage.ingest import store
from usage.machine_auth import signed_request
from usage.models import Machine, MachineKey, RejectedMessage, UsageSample
from usage.offsets import Position
from usage.periods import from_ms

__all__ = ["roles"]
pytestmark = [pytest.mark.django_db, needs_postgres]


@pytest.fixture
def acme(roles: None) -> Customer:
    return a_customer("acme")


@pytest.fixture
def behind_the_wall(acme: Customer) -> Iterator[None]:
    with in_role("corehour_web"):
        wall.asks("nobody")
        yield


def _as(email: str) -> Client:
    """Sign in by the door, as a browser does."""
    client = Client()
    assert client.post("/sign-in/", {"username": email, "password": PASSWORD}).status_code == 302
    return client


@pytest.fixture
def olga(acme: Customer) -> User:
    return a_member(acme)


@pytest.fixture
def otto(roles: None) -> User:
    return an_operator()


def test_an_owner_signs_in_adds_a_machine_and_a_member(olga: User, behind_the_wall: None) -> None:
    browser = _as("olga@acme.example")

    added = browser.post("/machines/new/", {"code": "web-1", "name": "Web"})
    taken = browser.post("/machines/new/", {"code": "web-1"})
    browser.post("/settings/members/", {"email": "new@acme.example", "role": "viewer"})
    page = browser.get("/settings/").content.decode()

    assert (added.status_code, taken.status_code) == (200, 400)
    assert "new@acme.example" in page
    assert "web-1" in browser.get("/machines/").content.decode()


def test_a_taken_code_of_a_neighbour_is_refused_and_not_an_error(olga: User, acme: Customer, behind_the_wall: None) -> None:
    wall.asks("person", olga.pk)
    program, browser = with_key(acme), _as("olga@acme.example")

    for code in ("theirs", "mine"):
        page = browser.post("/machines/new/", {"code": code})
        assert page.status_code == (400 if code == "theirs" else 200)
    answer = program.post("/api/v1/machines/", {"code": "theirs", "name": ""}, content_type="application/json")

    assert (answer.status_code, "already exists" in answer.content.decode()) == (400, True)


@pytest.fixture(autouse=True)
def _bolt(roles: None) -> None:
    a_machine(a_customer("bolt"), "theirs")


def test_a_machine_enrols_by_its_token_and_reports(acme: Customer, olga: User, request: pytest.FixtureRequest) -> None:
    _, secret = create_token(a_machine(acme, "web-1"), olga)
    request.getfixturevalue("behind_the_wall")
    public = KEY.public_key().public_bytes_raw()

    def enrol(token: str) -> int:
        proof = base64.b64encode(KEY.sign(ENROL_DOMAIN + token.encode())).decode()
        form = {"token": token, "public_key": base64.b64encode(public).decode(), "proof": proof}
        return Client().post("/api/v1/enrol/", form, content_type="application/json").status_code

    assert (enrol("che_made-up"), enrol(secret), enrol(secret)) == (403, 201, 403)
    wall.asks("person", olga.pk)
    keyid = MachineKey.objects.get().keyid
    assert _sync(keyid, KEY) == 200
    assert _sync(keyid, OTHER_KEY) == 401


def _sync(keyid: str, key: Ed25519PrivateKey) -> int:
    content = json.dumps({"stream": "0192f1e4-0000-7000-8000-000000000001"}).encode()
    at = str(time.time_ns() // 1_000_000)
    told = base64.b64encode(key.sign(signed_request("POST", "/api/v1/agent/sync/", at, content))).decode()
    fields = {"authorization": f"Corehour {keyid}:{at}:{told}"}
    return Client().post("/api/v1/agent/sync/", content, content_type="application/json", headers=fields).status_code


def test_a_lost_password_is_replaced_by_somebody_whom_nobody_knows_yet(olga: User, otto: User, behind_the_wall: None) -> None:
    Client().post("/password/", {"email": "olga@acme.example"})

    link = next(word for word in str(mail.outbox[0].body).split() if "/password/" in word)
    form = Client()
    page = form.get(link[link.index("/password/") :], follow=True)
    done = form.post(page.request["PATH_INFO"], {"new_password1": "a wholly new phrase", "new_password2": "a wholly new phrase"})

    assert done.status_code == 302
    assert Mail.objects.count() == 0
    wall.asks("person", otto.pk)
    assert Mail.objects.get().recipient == "olga@acme.example"


def test_an_operator_replays_finalises_and_views_as_somebody(otto: User, acme: Customer, request: pytest.FixtureRequest) -> None:
    with time_machine.travel(from_ms(NOW_MS)):
        offset_row()
        bill(acme, Customer.objects.get(code="bolt"))
        a_machine(acme, "web-1")
        unknown = raw(body(sample(0), machine="web-9"), key=b"web-9")
        store(Position("resource_usage", TOPIC_ID, 0, 0), [unknown], LIMITS)
        row, draft = RejectedMessage.objects.get(), Invoice.objects.get(number=None)
        customer = draft.customer_id
        request.getfixturevalue("behind_the_wall")
        staff = _as(otto.email)

        form = {"machine": "web-1", "value": bytes(row.value).decode(), "reason": "Renamed", "do": "replay"}
        staff.post(f"/admin/usage/rejectedmessage/{row.pk}/fix/", form)
        staff.post(f"/admin/invoices/invoice/{draft.pk}/finalise/", {"_form_submitted": "1"})
        viewing = staff.post(f"/admin/accounts/customer/{customer}/view-as/", {"_form_submitted": "1"})

    wall.asks("person", otto.pk)
    assert UsageSample.objects.count() == 1
    assert Invoice.objects.get(pk=draft.pk).number is not None
    assert viewing.status_code == 302
    assert AuditEntry.objects.filter(action="viewing.began").exists()
    assert Membership.objects.filter(user=otto).count() == 0
    assert Machine.objects.count() == 4


def test_whoever_scrapes_counts_and_reads_nothing_else(acme: Customer, request: pytest.FixtureRequest) -> None:
    a_machine(acme, "web-1", last_seen_ms=1_000)
    offset_row()
    store(Position("resource_usage", TOPIC_ID, 0, 0), [raw(b"x")], LIMITS)
    request.getfixturevalue("behind_the_wall")

    text = Client().get("/metrics").content.decode()

    assert 'corehour_rejected_messages{reason="not_json",state="open"} 1.0' in text
    assert "corehour_newest_sample_age_seconds" in text
    wall.asks("metrics")
    assert Machine.objects.count() == 2
    assert Customer.objects.count() == 0
    assert Machine.objects.update(name="changed") == 0
