"""From nothing to a first sample: an owner names a machine, and gets one command whose token works."""

import re

import pytest
from django.test import Client

from accounts.models import Customer
from tests.cast import a_customer, a_machine, a_member, signed_in
from usage.key_models import EnrolmentToken
from usage.models import Machine

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Customer:
    return a_customer()


@pytest.fixture
def owner(acme: Customer) -> Client:
    return signed_in(a_member(acme))


def test_an_owner_adds_a_machine_and_gets_the_command(acme: Customer, owner: Client) -> None:
    answer = owner.post("/machines/new/", {"code": "web-1", "name": "Shop"})

    page = answer.content.decode()
    command = re.search(r"corehour-agent enrol http://testserver (che_\S+) &amp;&amp; corehour-agent run --bootstrap \S+<", page)
    assert command is not None
    assert Machine.objects.get(customer=acme).name == "Shop"
    assert EnrolmentToken.objects.get().digest == EnrolmentToken.digest_of(command[1])
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("code", ["", "Web 1", "-web", "../x", "a" * 64])
def test_a_name_that_is_none_is_asked_for_again(owner: Client, code: str) -> None:
    answer = owner.post("/machines/new/", {"code": code})

    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert not Machine.objects.exists()


def test_a_name_is_taken_whoever_has_it(owner: Client) -> None:
    a_machine(a_customer("bolt"), "web-1")

    answer = owner.post("/machines/new/", {"code": "web-1"})

    assert answer.status_code == 400
    assert "This id is taken" in answer.content.decode()


def test_a_viewer_cannot_and_is_not_asked_to(acme: Customer) -> None:
    viewer = signed_in(a_member(acme, email="vera@acme.example", role="viewer"))

    assert viewer.post("/machines/new/", {"code": "web-1"}).status_code == 403
    assert "/machines/new/" not in viewer.get("/machines/").content.decode()
    assert "An owner of Acme can add one." in viewer.get("/machines/").content.decode()
    assert not Machine.objects.exists()
