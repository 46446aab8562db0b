"""The access matrix: every address, socket and admin action against everyone who might ask, as tests/data/access/ says.

A new address without a line fails, and so does a line without an address: see tests/access_matrix.py.
"""

import contextlib
from dataclasses import dataclass

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django import Settings

from billingsite.ws_urls import websocket_urlpatterns
from tests.access_lines import action_lines, agrees, http_lines
from tests.access_world import WHO, bill, build, routes
from tests.cast import a_customer, a_member, an_operator, signed_in, with_key
from tests.sockets import refusal

pytestmark = pytest.mark.django_db
HOW = "Read the difference; if it is right: python -m tests.access_matrix --write"


# Who asks: nobody, an owner of Acme, an owner of Bolt, staff without any permission, a superuser, a key of Acme.
@dataclass(frozen=True)
class World:
    """Acme with one of everything, and everybody who asks for it."""

    clients: dict[str, Client]
    number: str
    draft: int


@pytest.fixture
def world(settings: Settings) -> World:
    cache.clear()
    settings.SELLER_COUNTRY, settings.SELLER_TAX_ID = "DE", "DE123456789"
    acme, bolt = a_customer("acme", country="DE"), a_customer("bolt")
    number, draft_pk = bill(acme, bolt)
    clients = {
        "stranger": Client(),
        "owner": signed_in(a_member(acme)),
        "neighbour": signed_in(a_member(bolt, email="bea@bolt.example")),
        "clerk": signed_in(a_member(email="clerk@corehour.example", is_staff=True)),
        "operator": signed_in(an_operator()),
        "key": with_key(acme),
    }
    return World(clients, number, draft_pk)


def test_every_address_answers_everyone_as_reviewed() -> None:
    differences = agrees("http", http_lines(build()))

    assert differences == [], HOW


def test_every_action_is_offered_as_reviewed() -> None:
    differences = agrees("actions", action_lines(build()))

    assert differences == [], HOW


@pytest.mark.django_db(transaction=True)
def test_every_socket_opens_as_reviewed() -> None:
    world = build()

    async def lines() -> list[str]:
        found = [f"{'SOCKET':<30} " + " ".join(f"{who:<8}" for who in WHO)]
        for route in websocket_urlpatterns:
            path = f"/{route.pattern}?customer=acme"
            codes = [await refusal(path, client) for client in world.clients.values()]
            elsewhere = await refusal(path, world.clients["owner"], origin="https://evil.example")
            words = " ".join(f"{code or 'open':<8}" for code in codes)
            found.append(f"{path:<30} {words}from elsewhere: {elsewhere or 'refused'}".rstrip())
        return found

    differences = agrees("sockets", async_to_sync(lines)())

    assert differences == [], HOW


ITS_OWN = {"admin:view_on_site", "admin:password_change", "admin:password_change_done", "admin:app_list"}


def is_of_a_model(name: str) -> bool:
    """The admin's pages about a model, such as admin:usage_machine_change."""
    return name.startswith("admin:") and name.count("_") >= 2 and name not in ITS_OWN


def some_url(name: str) -> str:
    """An address of that name, whatever it takes."""
    for taken in ([], [1], [1, "pdf"]):
        with contextlib.suppress(NoReverseMatch):
            return reverse(name, args=taken)
    raise AssertionError(f"{name} takes more than this test knows of")


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_admins_pages_about_models_are_for_staff_with_permission_only(world: World, method: str) -> None:
    """Everybody outside is sent to sign in, staff without a permission see nothing and change nothing."""
    wrong = []
    for name in filter(is_of_a_model, (name for name, _ in routes())):
        url = some_url(name)
        answers = {who: getattr(client, method)(url) for who, client in world.clients.items()}
        outside = [answers[who] for who in ("stranger", "owner", "neighbour", "key")]
        turned_away = all(answer.status_code == 302 and answer["Location"].startswith("/admin/login/") for answer in outside)
        clerk = answers["clerk"]
        nothing_there = clerk.status_code == 302 and clerk["Location"] == "/admin/"  # No such object: to the start page.
        if not turned_away or not (clerk.status_code in (403, 404) or nothing_there):
            wrong.append((name, [answer.status_code for answer in answers.values()]))

    assert wrong == []
