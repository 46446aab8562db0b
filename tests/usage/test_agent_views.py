"""The page about a machine's agent: who may see it, who may ask, and that a token is shown once."""

import re

import pytest
from django.test import Client
from django.utils.timezone import now

from tests.cast import a_customer, a_machine, a_member, an_operator, signed_in
from tests.usage.signed import register
from tests.usage.test_enrolment import enrolled
from usage.enrolment import EnrolmentRefused, create_token
from usage.key_models import AgentWish, EnrolmentToken, MachineKey, UnsignedPermission
from usage.models import Machine

pytestmark = pytest.mark.django_db
PAGE = "/machines/web-1/agent/"


@pytest.fixture
def machine() -> Machine:
    return a_machine(a_customer("acme"), "web-1")


@pytest.fixture
def owner(machine: Machine) -> Client:
    return signed_in(a_member(machine.customer))


def test_a_token_is_shown_once_as_a_command(owner: Client) -> None:
    answer = owner.post(PAGE + "token/").content.decode()

    (secret,) = re.findall(r"corehour-agent enrol http://testserver (che_\S+)</code>", answer)
    assert EnrolmentToken.objects.get().digest == EnrolmentToken.digest_of(secret)
    assert secret not in owner.get(PAGE).content.decode()


def test_open_tokens_are_listed_and_an_owner_withdraws_one(owner: Client, machine: Machine) -> None:
    open_token, secret = create_token(machine)
    used, _ = create_token(machine)
    EnrolmentToken.objects.filter(pk=used.pk).update(used_at=now())
    elsewhere, _ = create_token(a_machine(machine.customer, "web-2"))
    page = owner.get(PAGE).content.decode()
    assert re.findall(r"<code>(che_\S+)…</code>", page) == [open_token.prefix]

    assert owner.post(f"{PAGE}token/{open_token.pk}/withdraw/").status_code == 302
    spent = owner.post(f"{PAGE}token/{used.pk}/withdraw/")
    assert owner.post(f"{PAGE}token/{elsewhere.pk}/withdraw/").status_code == 404

    open_token.refresh_from_db()
    assert (open_token.state, EnrolmentToken.objects.get(pk=elsewhere.pk).state) == ("over", "open")
    assert (spent.status_code, f"The token {used.prefix}… was used." in spent.content.decode()) == (409, True)
    with pytest.raises(EnrolmentRefused, match="used or out of date"):
        enrolled(secret)


def test_an_operator_withdraws_tokens(machine: Machine) -> None:
    operator = signed_in(an_operator())
    tokens = [create_token(machine)[0] for _ in range(2)]
    EnrolmentToken.objects.filter(pk=tokens[0].pk).update(used_at=now())

    answer = operator.post(
        "/admin/usage/enrolmenttoken/",
        {"action": "withdraw_tokens", "_selected_action": [token.pk for token in tokens]},
        follow=True,
    ).content.decode()

    assert "1 tokens were withdrawn" in answer
    assert [EnrolmentToken.objects.get(pk=token.pk).state for token in tokens] == ["used", "over"]


def test_an_owner_asks_and_sees_that_it_was_asked(owner: Client) -> None:
    assert owner.post(PAGE + "wish/", {"kind": "interval", "seconds": "30"}).status_code == 302

    assert "Asked: Change the interval, 30 s. No answer yet." in owner.get(PAGE).content.decode()
    assert owner.post(PAGE + "wish/", {"kind": "interval", "seconds": "0"}).status_code == 400
    assert owner.post(PAGE + "wish/", {"kind": "explode"}).status_code == 400
    assert AgentWish.objects.count() == 1


def test_an_owner_revokes_the_keys(owner: Client, machine: Machine) -> None:
    register(machine)

    owner.post(PAGE + "revoke/")

    assert MachineKey.objects.get().state() == "revoked"
    assert "Revoked" in owner.get(PAGE).content.decode()


def test_a_viewer_sees_and_does_nothing_and_a_stranger_sees_nothing(machine: Machine) -> None:
    viewer = signed_in(a_member(machine.customer, email="vera@acme.example", role="viewer"))
    stranger = signed_in(a_member(a_customer("bolt"), email="bo@bolt.example"))

    assert viewer.get(PAGE).status_code == 200
    assert stranger.get(PAGE).status_code == 404
    for action in ("token/", "token/1/withdraw/", "wish/", "revoke/"):
        assert viewer.post(PAGE + action, {"kind": "pause"}).status_code == 403
        assert stranger.post(PAGE + action, {"kind": "pause"}).status_code == 404
        assert Client().post(PAGE + action).status_code == 302
    assert not EnrolmentToken.objects.exists()
    assert not AgentWish.objects.exists()


def test_an_operator_makes_tokens_permissions_and_ends_keys(machine: Machine) -> None:
    operator = signed_in(an_operator())
    key = register(machine)

    made = operator.post("/admin/usage/enrolmenttoken/add/", {"machine": machine.pk}, follow=True)
    operator.post("/admin/usage/unsignedpermission/add/", {"customer": machine.customer.pk, "reason": "old producers"})
    operator.post("/admin/usage/machinekey/", {"action": "revoke_keys", "_selected_action": [key.pk]})

    assert "che_" in made.content.decode()
    assert EnrolmentToken.objects.count() == 1
    assert UnsignedPermission.objects.get().reason == "old producers"
    key.refresh_from_db()
    assert key.state() == "revoked"
    for page in ("machinekey", "enrolmenttoken", "unsignedpermission", "agentstate"):
        assert operator.get(f"/admin/usage/{page}/").status_code == 200
