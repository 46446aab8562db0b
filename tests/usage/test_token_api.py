"""Enrolment tokens for programs: made by those who may, shown once, withdrawn, and each step in the audit trail."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from accounts.models import ApiKey, AuditEntry
from tests.cast import a_customer, a_machine, a_member, signed_in, with_key
from tests.usage.test_enrolment import enrolled
from usage.enrolment import EnrolmentRefused, create_token
from usage.key_models import EnrolmentToken
from usage.models import Machine

pytestmark = pytest.mark.django_db
URL = "/api/v1/machines/web-1/tokens/"


@pytest.fixture
def machine() -> Machine:
    return a_machine(a_customer(), "web-1")


def made(machine: Machine) -> dict[str, Any]:
    answer = with_key(machine.customer).post(URL)
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    body: dict[str, Any] = answer.json()
    return body


def test_a_token_that_a_program_makes_enrols_the_machine_once(machine: Machine) -> None:
    token = made(machine)

    assert token["token"].startswith(token["prefix"])
    assert enrolled(token["token"]).machine == machine
    [listed] = with_key(machine.customer).get(URL).json()["results"]
    assert (listed["state"], "token" in listed) == ("used", False)


def test_a_withdrawn_token_enrols_nobody(machine: Machine) -> None:
    token = made(machine)

    assert with_key(machine.customer).delete(f"{URL}{token['id']}/").status_code == 204

    with pytest.raises(EnrolmentRefused, match="out of date"):
        enrolled(token["token"])
    [listed] = with_key(machine.customer).get(URL).json()["results"]
    assert listed["state"] == "over"


def test_a_used_token_cannot_be_withdrawn(machine: Machine) -> None:
    token = made(machine)
    enrolled(token["token"])

    answer = with_key(machine.customer).delete(f"{URL}{token['id']}/")

    assert answer.status_code == 400
    assert "was used" in answer.content.decode()


def test_each_step_is_in_the_audit_trail(machine: Machine) -> None:
    owner = signed_in(a_member(machine.customer))
    first, second = owner.post(URL).json(), owner.post(URL).json()
    owner.delete(f"{URL}{first['id']}/")
    enrolled(second["token"])

    steps = AuditEntry.objects.filter(target=f"machine:{machine.pk}").order_by("pk")
    assert list(steps.values_list("action", flat=True)) == [
        "enrolment.offered", "enrolment.offered", "enrolment.withdrawn", "machine-key.added",
    ]  # fmt: skip
    assert not any(word in str(steps.values()) for word in (first["token"], second["token"]))
    assert EnrolmentToken.objects.get(pk=first["id"]).created_by is not None


def test_who_may_not_make_one_makes_none(machine: Machine) -> None:
    viewer = signed_in(a_member(machine.customer, email="vera@acme.example", role="viewer"))
    stranger = with_key(a_customer("globex"))
    _, secret = ApiKey.issue(machine.customer, "reader", ["machines:read"])

    assert viewer.post(URL).status_code == 403
    assert stranger.post(URL).status_code == 404
    assert viewer.post(URL, headers={"authorization": f"Bearer {secret}"}).status_code == 403
    assert viewer.get(URL).status_code == 200
    assert EnrolmentToken.objects.count() == 0


def test_a_strangers_token_is_not_there(machine: Machine) -> None:
    token, _ = create_token(machine)

    assert with_key(a_customer("globex")).delete(f"{URL}{token.pk}/").status_code == 404
    assert EnrolmentToken.objects.get().state == "open"


def test_a_retired_machine_gets_none_and_an_old_one_is_over(machine: Machine) -> None:
    create_token(machine, lives=timedelta(0))
    assert EnrolmentToken.objects.get().state == "over"
    machine.retired_at = now()
    machine.save()

    assert with_key(machine.customer).post(URL).status_code == 400
