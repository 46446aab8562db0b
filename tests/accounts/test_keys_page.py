"""Keys on the settings page: shown once, scoped, rotated with an overlap, revoked at once; members beside them."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now

from accounts.models import ApiKey, AuditEntry, Membership, User
from accounts.people import issue_key
from tests.cast import a_customer, a_machine, a_member, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


def bearer(secret: str) -> Client:
    return Client(headers={"authorization": f"Bearer {secret}"})


def secret_on(page: str) -> str:
    found = re.search(r'<code id="secret">(ch_\S{43})</code>', page)
    return found[1] if found else ""


def test_a_key_is_shown_once_and_opens_its_scopes_alone() -> None:
    client = signed_in(a_member(a_customer()))

    page = client.post("/settings/keys/new/", {"name": "Grafana", "scopes": ["usage:read"], "days": "30"}).content.decode()

    secret = secret_on(page)
    assert bearer(secret).get("/api/v1/usage/").status_code == 200
    refused = bearer(secret).get("/api/v1/invoices/")
    assert (refused.status_code, refused.json()["detail"]) == (403, "This key lacks the scope invoices:read.")
    assert secret_on(client.get("/settings/keys/").content.decode()) == ""
    assert secret not in str(ApiKey.objects.values()) + str(AuditEntry.objects.values())


def test_a_key_that_reads_writes_nothing() -> None:
    acme = a_customer()
    a_machine(acme)
    _, reads = issue_key(acme, "reads", ["machines:read"])
    _, writes = issue_key(acme, "writes", ["machines:read", "machines:write"])

    answers = [bearer(secret).post("/api/v1/machines/", {"code": "web-9"}, "application/json") for secret in (reads, writes)]

    assert [answer.status_code for answer in answers] == [403, 201]


def test_a_rotated_key_works_on_for_a_day_beside_its_successor() -> None:
    acme = a_customer()
    key, old = issue_key(acme, "Grafana", ["usage:read"])
    client = signed_in(a_member(acme))

    new = secret_on(client.post(f"/settings/keys/{key.pk}/rotate/").content.decode())

    assert [bearer(secret).get("/api/v1/usage/").status_code for secret in (old, new)] == [200, 200]
    with time_machine.travel(now() + timedelta(hours=25)):
        assert [bearer(secret).get("/api/v1/usage/").status_code for secret in (old, new)] == [401, 200]


def test_an_expired_key_opens_nothing() -> None:
    _, secret = issue_key(a_customer(), "Grafana", ["usage:read"], now() + timedelta(days=30))

    before = bearer(secret).get("/api/v1/usage/").status_code
    with time_machine.travel(now() + timedelta(days=31)):
        after = bearer(secret).get("/api/v1/usage/").status_code

    assert (before, after) == (200, 401)


def test_a_revoked_key_stops_at_once_and_somebody_elses_is_not_found() -> None:
    acme, bolt = a_customer("acme"), a_customer("bolt")
    key, secret = issue_key(acme, "Grafana", ["usage:read"])
    bea = signed_in(a_member(bolt, email="bea@bolt.example"))

    foreign = bea.post(f"/settings/keys/{key.pk}/revoke/").status_code
    between = bearer(secret).get("/api/v1/usage/").status_code
    signed_in(a_member(acme)).post(f"/settings/keys/{key.pk}/revoke/")

    assert (foreign, between, bearer(secret).get("/api/v1/usage/").status_code) == (404, 200, 401)


@pytest.mark.parametrize("role", ["billing", "viewer"])
def test_keys_and_members_are_for_owners(role: str) -> None:
    acme = a_customer()
    key, _ = issue_key(acme, "Grafana", ["usage:read"])
    client = signed_in(a_member(acme, email="vera@acme.example", role=role))

    answers = [
        client.get("/settings/keys/"),
        client.post("/settings/keys/new/", {"name": "x", "scopes": ["usage:read"]}),
        client.post(f"/settings/keys/{key.pk}/rotate/"),
        client.post(f"/settings/keys/{key.pk}/revoke/"),
        client.post("/settings/members/", {"email": "vera@acme.example", "role": "owner"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert Membership.objects.get().role == role


def test_an_owner_adds_changes_and_removes_members_but_never_the_last_owner() -> None:
    acme = a_customer()
    olga = a_member(acme)
    client = signed_in(olga)

    client.post("/settings/members/", {"email": "Vera@acme.example", "role": "viewer"})
    client.post("/settings/members/", {"email": "vera@acme.example", "role": "billing"})
    vera = Membership.objects.get(user__email="vera@acme.example")
    role = vera.role
    client.post(f"/settings/members/{vera.pk}/remove/")
    kept = client.post("/settings/members/", {"email": olga.email, "role": "viewer"}, follow=True).content.decode()

    assert (role, User.objects.get(email="vera@acme.example").has_usable_password()) == ("billing", False)
    assert "keeps at least one owner" in kept
    assert [str(row) for row in Membership.objects.all()] == ["olga@acme.example (owner)"]
    assert list(AuditEntry.objects.filter(action__startswith="member").values_list("action", flat=True)) == [
        "member.removed", "member.set", "member.set",
    ]  # fmt: skip
