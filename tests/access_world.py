"""Everybody who might ask, and a customer with one of everything to be asked for: what the access matrix is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.contrib import admin
from django.core.management.color import no_style
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts import outbox, webhooks
from accounts.models import ApiKey, Customer, User
from accounts.people import issue_key
from accounts.scopes import SCOPES
from invoices.billing import draft, finalise
from invoices.credit_notes import credit_amount
from invoices.models import CreditNote, RatePlan
from invoices.plan_file import read
from invoices.publishing import publish, save_draft, subscribe
from tests.cast import PASSWORD, a_bucket, a_customer, a_machine, a_member, signed_in
from usage.periods import month

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
# Acme's owner, billing and viewer; Bolt's owner; Acme's keys with one useless scope and with all; the three staff roles.
WHO = ("nobody", "owner", "billing", "viewer", "stranger", "key-", "key+", "support", "clerk", "operator")
STAFF = WHO[-3:]


@dataclass(frozen=True)
class World:
    clients: dict[str, Client]
    people: dict[str, User]
    number: str


def _number_anew() -> None:
    """Let keys begin behind what is there, as on SQLite: PostgreSQL goes on counting behind a test that was rolled back."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)


def bill(acme: Customer, bolt: Customer) -> tuple[str, int]:
    """Give both a plan and a machine that was metered. Return the number of Acme's final invoice and its draft's key."""
    publish(save_draft(read(PLAN))[0])
    for customer in (acme, bolt):
        subscribe(customer, RatePlan.objects.get(), datetime(2025, 1, 1, tzinfo=UTC))
        a_bucket(a_machine(customer, f"{customer.code}-1"), month(2025, 10, ZoneInfo("Europe/Berlin")).start_ms)
    endpoint, _ = webhooks.add(acme, "https://hooks.acme.example/", ["invoice.paid"])
    outbox.send_test(endpoint)
    drafts = [draft(acme, month(2025, number, ZoneInfo("Europe/Berlin"))) for number in (10, 11)]
    assert drafts[0] is not None
    assert drafts[1] is not None
    invoice = finalise(drafts[0])
    credit_amount(invoice, 1, "Outage")
    return str(invoice.number), drafts[1].pk


def build() -> World:
    """Acme and Bolt, each with a machine, a plan, a quarter hour; Acme with a final invoice, a credit note and a draft."""
    _number_anew()
    acme, bolt = a_customer("acme"), a_customer("bolt")
    number, _ = bill(acme, bolt)
    people = _people(acme, bolt)
    clients = {"nobody": Client(), **{name: signed_in(user) for name, user in people.items()}, **_programs(acme)}
    for client in clients.values():
        client.raise_request_exception = False
    return World({name: clients[name] for name in WHO}, people, number)


def _people(acme: Customer, bolt: Customer) -> dict[str, User]:
    members = {role: a_member(acme, email=f"{role}@acme.example", role=role) for role in ("owner", "billing", "viewer")}
    staff = {
        name: User.objects.create_user(f"{name}@corehour.example", PASSWORD, is_staff=True, staff_role=role)
        for name, role in (("support", "support"), ("clerk", "billing"), ("operator", "operator"))
    }
    return {**members, "stranger": a_member(bolt, email="owner@bolt.example"), **staff}


def _programs(acme: Customer) -> dict[str, Client]:
    secrets = {"key-": ApiKey.issue(acme, "useless", ["nothing:read"])[1], "key+": issue_key(acme, "all", SCOPES)[1]}
    return {name: Client(headers={"authorization": f"Bearer {secret}"}) for name, secret in secrets.items()}


def routes(resolver: URLResolver | None = None, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every named address of the product; those without a name are redirects to one that has."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, f"{space}{pattern.namespace}:" if pattern.namespace else space)
        elif pattern.name:
            yield f"{space}{pattern.name}", pattern


QUERIES = {"api-samples": "?machine=acme-1", "api-watermark": f"?stream={STREAM}", "admin:search": "?s=acme"}


def address(name: str, pattern: URLPattern, number: str) -> str:
    """An address of that name about something of Acme's, as far as there is one."""
    given: dict[str, Any] = {
        "code": "acme-1",
        "number": number,
        "note": CreditNote.objects.values_list("number", flat=True).first() or "CN-1",
        "pk": 1,
        "act": "replay",
        "token": "x-y",
        "uidb64": "MQ",
        "kind": "pdf",
        "app_label": "accounts",
        "content_type_id": 1,
        "object_id": 1,
        "delivery": 1,
    }
    given |= {"object_id": _first_of(name)} if name.startswith("admin:") and name.count("_") >= 2 else {}
    wanted = pattern.pattern.regex.groupindex
    args = {key: given.get(key, 1) for key in wanted}
    positional = [1] * (pattern.pattern.regex.groups - len(wanted))
    url = reverse(name, args=positional) if positional else reverse(name, kwargs=args)
    asked = "" if name.startswith("admin:") or "code" in args or {"number", "note"} & set(args) else "?customer=acme"
    return url + QUERIES.get(name, "" if _takes_no_customer(name) else asked)


def _takes_no_customer(name: str) -> bool:
    return name.startswith(
        ("api-customers", "api-schema", "api-docs", "api-rejected", "api-enrol", "api-agent", "api-spot", "healthz")
    )


def _first_of(name: str) -> object:
    """The newest row of an admin page's model."""
    for model in admin.site._registry:
        if name.startswith(f"admin:{model._meta.app_label}_{model._meta.model_name}_"):
            return model._default_manager.order_by("pk").values_list("pk", flat=True).first() or 1
    return 1


def models_with_actions() -> Iterator[tuple[str, Any]]:
    for model, desk in sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label):
        if apps.is_installed(model._meta.app_config.name):
            yield model._meta.label, desk
