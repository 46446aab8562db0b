"""The second wall: whoever asks, the database hands out their own customers' rows, also where the first wall is gone."""

from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.cache import cache
from django.db import connection, connections, transaction
from django.test import Client
from pytest_django import Settings

from accounts import access, wall
from accounts.models import Customer, Membership, Notice
from billingsite import database_roles
from billingsite.walls import OPEN, WALLED
from tests.access_lines import FOLDER, outcome
from tests.access_world import World, address, build, routes
from tests.cast import a_customer, a_machine, a_member, signed_in, with_key
from tests.sockets import refusal
from tests.walls import in_role, needs_postgres
from usage.models import Machine

pytestmark = pytest.mark.django_db
SECRETS = (b"Acme", b"@acme.example", b"hooks.acme")


def test_every_table_is_walled_or_open_with_a_reason() -> None:
    """After a new model: give its table a line in billingsite/walls.py, with the least that each role needs."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {"django_migrations"}

    named = [table.name for table in (*WALLED, *OPEN)]

    assert set(named) == tables
    assert len(named) == len(set(named))
    assert all(table.why for table in OPEN)


def test_no_table_that_leads_to_a_customer_is_open() -> None:
    leading = {"customer_id", "customer_pk", "machine_id", "machine_code", "invoice_id", "endpoint_id"}
    models = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}

    found = [
        table.name
        for table in OPEN
        if table.name in models and leading & {field.column for field in models[table.name]._meta.concrete_fields}
    ]

    assert found == []


@pytest.fixture
def world(settings: Settings) -> World:
    cache.clear()
    database_roles.apply({})  # Before there are rows, whose keys the transaction's end will check.
    return build()


@pytest.fixture
def second_wall(world: World) -> Iterator[World]:
    with in_role("corehour_web"):
        yield world


@pytest.fixture
def no_first_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """The access rule says yes to everybody. Its code is changed in place, as every module holds the function by its name."""

    def everything(actor: Any) -> Any:
        return Customer.objects.all()

    def yes(*anybody: Any, **more: Any) -> bool:
        return True

    for rule, instead in ((access.visible_customers, everything), (access.has_role, yes)):
        monkeypatch.setattr(rule, "__code__", _code(instead))


def _code(function: Callable[..., Any]) -> Any:
    assert isinstance(function, FunctionType)
    return function.__code__


def _gets(world: World) -> list[tuple[str, str]]:
    """Every page and API address about something of Acme's."""
    found = [(name, address(name, pattern, world.number)) for name, pattern in routes() if not name.startswith("admin")]
    return [(name, url) for name, url in found if name not in ("api-schema", "api-docs", "metrics")]


def _told(client: Client, addresses: list[tuple[str, str]]) -> set[str]:
    """The addresses at which somebody reads something of Acme's."""
    told = set()
    for name, url in addresses:
        with transaction.atomic():
            content = client.get(url).content
            transaction.set_rollback(True)
        if any(secret in content for secret in SECRETS):
            told.add(name)
    return told


@needs_postgres
def test_where_the_first_wall_is_gone_a_stranger_still_reads_nothing(world: World, no_first_wall: None) -> None:
    stranger, addresses = world.clients["stranger"], _gets(world)
    with transaction.atomic():  # Without either wall, so that the test is known to look at what it should.
        seen = _told(stranger, addresses)
        transaction.set_rollback(True)

    with in_role("corehour_web"):
        still_seen = _told(stranger, addresses)
        own = _told(world.clients["owner"], addresses)

    assert {"overview", "invoices", "invoice", "api-customers", "api-members", "api-invoice", "webhooks"} <= seen
    assert still_seen == set()
    assert seen <= own | {"sign-in"}


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_where_the_first_wall_is_gone_a_strangers_socket_stays_shut(no_first_wall: None, settings: Settings) -> None:
    acme, bolt = a_customer("acme"), a_customer("bolt")
    clients = [signed_in(a_member(bolt, email="bea@bolt.example")), signed_in(a_member(acme))]

    async def knock() -> list[int | None]:
        return [await refusal(f"/ws/{name}/?customer=acme", client) for name in ("usage", "cost") for client in clients]

    without = async_to_sync(knock)()
    with _own_connection(settings):
        behind = async_to_sync(knock)()

    assert without == [None, None, None, None]
    assert behind == [4404, None, 4404, None]


@needs_postgres
def test_every_walled_table_shows_each_their_own(world: World) -> None:
    Notice.objects.create(customer=Customer.objects.get(code="acme"), kind=Notice.Kind.SILENT, facts=[])
    counts: dict[str, dict[str, int]] = {who: {} for who in ("all", "nobody", "owner", "stranger", "operator")}
    for who, seen in counts.items():
        with in_role("corehour_web") if who != "all" else transaction.atomic():
            wall.asks("person" if who in world.people else "nobody", world.people[who].pk if who in world.people else "")
            seen.update(_rows())

    filled = {name for name, rows in counts["all"].items() if rows}
    assert {"accounts_customer", "invoices_invoiceline", "usage_usagebucket", "accounts_webhookdelivery"} <= filled
    assert counts["operator"] == counts["all"]
    assert not any(counts["nobody"].values())
    assert all(
        counts["owner"][name] + counts["stranger"][name] == counts["all"][name] for name in filled - {"accounts_auditentry"}
    )
    assert counts["owner"]["invoices_invoice"] == 2
    assert counts["stranger"]["invoices_invoice"] == 0
    assert counts["stranger"]["usage_usagebucket"] == 1


def _rows() -> dict[str, int]:
    with connection.cursor() as cursor:
        found = {}
        for table in WALLED:
            cursor.execute(f"SELECT count(*) FROM {table.name}")  # noqa: S608 - a constant
            found[table.name] = int(cursor.fetchone()[0])
        return found


@needs_postgres
def test_portal_api_and_administration_answer_as_they_do_without_it(second_wall: World) -> None:
    """As tests/data/access/http.txt says: the portal's pages to the owner, the API to the key, the lists to the operator."""
    lines = [line.split() for line in (FOLDER / "http.txt").read_text().splitlines()]
    columns = lines[0][3:]
    reviewed = {line[1]: dict(zip(columns, line[2:], strict=True)) for line in lines if line[0] == "GET"}
    wall.asks("person", second_wall.people["operator"].pk)

    differences = []
    for name, pattern in routes():
        who = "operator" if name.startswith("admin") else "key+" if name.startswith("api") else "owner"
        lists = not name.startswith("admin") or name.endswith("_changelist") or ":" not in name
        if lists and name in reviewed:
            answer = outcome(second_wall.clients[who], "get", address(name, pattern, second_wall.number))
            if answer != reviewed[name][who]:
                differences.append(f"{name} for {who}: {answer}, without it {reviewed[name][who]}")

    assert differences == []


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_used_again_shows_nobody_what_it_showed_the_last(settings: Settings) -> None:
    acme, bolt = a_customer("acme"), a_customer("bolt")
    olga, bea = a_member(acme), a_member(bolt, email="bea@bolt.example")
    a_machine(acme, "acme-1")
    key = with_key(bolt)
    clients = [signed_in(olga), signed_in(bea), Client(), key, signed_in(olga)]
    with _own_connection(settings):
        seen = [[row["code"] for row in client.get("/api/v1/customers/").json().get("results", [])] for client in clients]
        left_behind = Machine.objects.count()
        with transaction.atomic():
            wall.asks("person", olga.pk)
            inside = Machine.objects.count()
            transaction.set_rollback(True)
        wall.asks("person", bea.pk)
        after_rollback = Machine.objects.count()
        wall.asks("person", olga.pk)
        own = Machine.objects.count()
        Membership.objects.filter(user=olga).delete()
        wall.asks("nobody")

    assert seen == [["acme"], ["bolt"], [], ["bolt"], ["acme"]]
    assert (left_behind, inside, after_rollback, own) == (0, 1, 0, 1)


class _own_connection:  # noqa: N801 - used as `with`
    """The web process: signed in at the database as its role, told of by the product's own signal."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __enter__(self) -> None:
        database_roles.apply({})
        self.owner = connection.settings_dict["USER"]
        self.settings.DATABASE_WALL = True
        self._as("corehour_web")
        wall.asks("nobody")

    def __exit__(self, *why: object) -> None:
        self.settings.DATABASE_WALL = False
        connection.execute_wrappers.remove(wall.tell_first)
        self._as(self.owner)
        database_roles.remove()

    def _as(self, user: str) -> None:
        connections["default"].close()
        connection.settings_dict["USER"] = user
