"""The access matrix: every address of the product against everyone who might ask for it.

The table was reviewed line by line. A new address without a line fails, and so does a line without an address.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse

from invoices.billing import draft, finalise
from invoices.models import RatePlan
from invoices.plan_file import read
from invoices.publishing import publish, save_draft, subscribe
from tests.cast import a_bucket, a_customer, a_machine, a_member, an_operator, signed_in, with_key
from usage.periods import month

pytestmark = pytest.mark.django_db
STREAM = "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f"
PLAN = """
code = "cloud"
name = "Cloud"
currency = "EUR"
effective_from = 2025-01-01T00:00:00Z
[[prices]]
name = "Base fee"
model = "flat"
unit_price = "9.00"
"""

# Who asks: nobody, an owner of Acme, an owner of Bolt, staff without any permission, a superuser, a key of Acme.
# None but members and keys see a customer's things, staff included; no key opens a page, only the API.
WHO = ("stranger", "owner", "neighbour", "clerk", "operator", "key")
PAGE = (302, 200, 404, 404, 404, 302)
JSON = (401, 200, 404, 404, 404, 401)
API = (401, 200, 404, 404, 404, 200)
OPEN = (200, 200, 200, 200, 200, 200)
DESK = (401, 404, 404, 404, 200, 404)
ASKED_BY_POST = (401, 405, 405, 405, 405, 405)
DESK_POST = (401, 404, 404, 404, 405, 404)
STAFF = (302, 302, 302, 200, 200, 302)

# Address name to its parameters, its query and the answers. All of it is Acme's.
ACME = "?customer=acme"
TABLE: dict[str, tuple[dict[str, Any], str, tuple[int, ...]]] = {
    "overview": ({}, ACME, (302, 200, 404, 302, 302, 302)),
    "cost": ({}, ACME, JSON),
    "machines": ({}, ACME, PAGE),
    "machine": ({"code": "acme-1"}, "", PAGE),
    "usage": ({}, ACME, PAGE),
    "usage-csv": ({}, ACME, PAGE),
    "usage-recent": ({}, ACME, JSON),
    "invoices": ({}, ACME, PAGE),
    "invoice-preview": ({}, ACME, PAGE),
    "invoice-draft": ({"pk": "DRAFT"}, "", PAGE),
    "invoice": ({"number": "NUMBER"}, "", PAGE),
    "invoice-pdf": ({"number": "NUMBER"}, "", PAGE),
    "invoice-csv": ({"number": "NUMBER"}, "", PAGE),
    "plan": ({}, ACME, PAGE),
    "sign-in": ({}, "", (200, 302, 302, 302, 302, 200)),
    "sign-out": ({}, "", (405, 405, 405, 405, 405, 405)),
    "api-customers": ({}, "", (401, 200, 200, 200, 200, 200)),
    "api-machines": ({}, ACME, API),
    "api-machine": ({"code": "acme-1"}, "", API),
    "api-watermark": ({"code": "acme-1"}, f"?stream={STREAM}", API),
    "api-completeness": ({"code": "acme-1"}, "", API),
    "api-rejected": ({}, "", DESK),
    "api-rejected-counts": ({}, "", DESK),
    "api-rejected-one": ({"pk": 1}, "", (401, 404, 404, 404, 404, 404)),
    "api-rejected-fix": ({"pk": 1}, "", DESK_POST),
    "api-rejected-replay": ({"pk": 1}, "", DESK_POST),
    "api-rejected-discard": ({"pk": 1}, "", DESK_POST),
    "api-rejected-many": ({"act": "replay"}, "", DESK_POST),
    "api-usage": ({}, ACME, API),
    "api-samples": ({}, "?machine=acme-1", API),
    "api-estimate": ({}, ACME, API),
    "api-plans": ({}, ACME, API),
    "api-quotes": ({}, "", ASKED_BY_POST),
    "api-quotes-bare": ({}, "", ASKED_BY_POST),
    "api-invoices": ({}, ACME, API),
    "api-invoice": ({"number": "NUMBER"}, "", API),
    "api-invoice-pdf": ({"number": "NUMBER"}, "", API),
    "api-invoice-csv": ({"number": "NUMBER"}, "", API),
    "api-nothing": ({}, "", (404, 404, 404, 404, 404, 404)),
    "api-schema": ({}, "", OPEN),
    "api-docs": ({}, "", OPEN),
    "healthz": ({}, "", OPEN),
    "admin-fleet": ({}, "", STAFF),
    "admin:index": ({}, "", STAFF),
    "admin:search": ({}, "?s=acme", STAFF),
    "admin:login": ({}, "", (200, 200, 200, 302, 302, 200)),
    "admin:logout": ({}, "", (302, 302, 302, 405, 405, 302)),
    "admin:jsi18n": ({}, "", STAFF),
    "admin:password_change": ({}, "", STAFF),
    "admin:password_change_done": ({}, "", STAFF),
    "admin:autocomplete": ({}, "", (302, 302, 302, 403, 403, 302)),
    "admin:view_on_site": ({"content_type_id": 1, "object_id": 1}, "", (302, 302, 302, 404, 404, 302)),
    "admin:app_list": ({"app_label": "accounts"}, "", (302, 302, 302, 404, 200, 302)),
}


@dataclass(frozen=True)
class World:
    """Acme with one of everything, and everybody who asks for it."""

    clients: dict[str, Client]
    number: str
    draft: int


@pytest.fixture
def world() -> World:
    cache.clear()
    acme, bolt = a_customer("acme"), a_customer("bolt")
    publish(save_draft(read(PLAN))[0])
    for customer in (acme, bolt):
        subscribe(customer, RatePlan.objects.get(), datetime(2025, 1, 1, tzinfo=UTC))
        a_bucket(a_machine(customer, f"{customer.code}-1"), month(2025, 10, ZoneInfo("Europe/Berlin")).start_ms)
    drafts = [draft(acme, month(2025, number, ZoneInfo("Europe/Berlin"))) for number in (10, 11)]
    assert drafts[0] is not None
    assert drafts[1] is not None
    clients = {
        "stranger": Client(),
        "owner": signed_in(a_member(acme)),
        "neighbour": signed_in(a_member(bolt, email="bea@bolt.example")),
        "clerk": signed_in(a_member(email="clerk@corehour.example", is_staff=True)),
        "operator": signed_in(an_operator()),
        "key": with_key(acme),
    }
    return World(clients, str(finalise(drafts[0]).number), drafts[1].pk)


def names(resolver: URLResolver, space: str = "") -> Iterator[str]:
    """Every address name below a resolver; those without one are redirects to one that has."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern, f"{space}{pattern.namespace}:" if pattern.namespace else space)
        elif pattern.name:
            yield f"{space}{pattern.name}"


def is_of_a_model(name: str) -> bool:
    """The admin's pages about a model, such as admin:usage_machine_change."""
    return name.startswith("admin:") and name.count("_") >= 2 and name not in TABLE


def test_every_address_has_a_line_and_every_line_an_address() -> None:
    known = {name for name in names(get_resolver()) if not is_of_a_model(name)}

    assert known == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_everyone_gets_what_the_table_says(world: World, name: str) -> None:
    given, query, expected = TABLE[name]
    stands_for = {"NUMBER": world.number, "DRAFT": world.draft}
    url = reverse(name, kwargs={key: stands_for.get(value, value) for key, value in given.items()}) + query

    answers = {who: world.clients[who].get(url).status_code for who in WHO}

    assert answers == dict(zip(WHO, expected, strict=True))


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
    for name in filter(is_of_a_model, names(get_resolver())):
        url = some_url(name)
        answers = {who: getattr(client, method)(url) for who, client in world.clients.items()}
        outside = [answers[who] for who in ("stranger", "owner", "neighbour", "key")]
        turned_away = all(answer.status_code == 302 and answer["Location"].startswith("/admin/login/") for answer in outside)
        clerk = answers["clerk"]
        nothing_there = clerk.status_code == 302 and clerk["Location"] == "/admin/"  # No such object: to the start page.
        if not turned_away or not (clerk.status_code in (403, 404) or nothing_there):
            wrong.append((name, [answer.status_code for answer in answers.values()]))

    assert wrong == []
