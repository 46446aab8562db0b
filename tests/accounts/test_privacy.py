"""What is kept of a person can be taken away by them, and then from us; what belongs to customers and books stays."""

import json
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts import second_factor
from accounts.models import AuditEntry, Customer, Mail, Notice, User
from tests.cast import PASSWORD, a_customer, a_member, an_operator, signed_in

pytestmark = pytest.mark.django_db
EMAIL = "vera.unusual@acme.example"


@pytest.fixture
def acme() -> Customer:
    return a_customer("acme")


@pytest.fixture
def vera(acme: Customer) -> User:
    """Somebody who has left traces everywhere, in a customer that has another owner."""
    a_member(acme)
    user = a_member(acme, email=EMAIL, name="Vera Unusual")
    browser = Client(headers={"user-agent": "Vera's browser"})
    browser.post("/sign-in/", {"username": EMAIL, "password": PASSWORD})
    second_factor.begin(user)
    Mail.objects.create(
        customer=acme, kind="invoice", occasion="one", recipient=EMAIL, language="en", about=1, subject="For Vera Unusual",
        text=f"To {EMAIL}", sent_at=now(), state="sent",
    )  # fmt: skip
    Mail.objects.create(
        kind="security", occasion="two", recipient=EMAIL, language="en", about=1, state="failed",
        problem=f"SMTPRecipientsRefused: {{'{EMAIL}': (550, b'Vera is gone')}}",
    )  # fmt: skip
    facts = [{"name": f"script of {EMAIL.title()}", "prefix": "ch_abc", "at": "2026-12-01T00:00:00+00:00"}]
    Notice.objects.create(customer=acme, kind="key_expiring", facts=facts)
    operator = signed_in(an_operator())
    operator.post(reverse("admin:accounts_user_change", args=[user.pk]), {"email": EMAIL})
    return user


def _said(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def test_an_export_holds_what_is_kept_and_no_secret(vera: User) -> None:
    told = json.loads(_said("export_person", EMAIL.upper()))

    assert (told["person"]["email"], told["person"]["name"]) == (EMAIL, "Vera Unusual")
    assert told["memberships"] == [{"customer__code": "acme", "role": "owner"}]
    assert told["sessions"][0]["browser"] == "Vera's browser"
    assert told["mails"][0]["subject"] == "For Vera Unusual"
    assert [mail["kind"] for mail in told["mails"]] == ["invoice", "security"]
    assert [(notice["customer"], notice["kind"]) for notice in told["notices"]] == [("acme", "key_expiring")]
    assert told["notices"][0]["facts"][0]["prefix"] == "ch_abc"
    assert "signed-in" in {entry["action"] for entry in told["did"]}
    assert "password" not in told["person"]


def _mentions(words: tuple[str, ...]) -> list[str]:
    """Every text column of the database in which one of the words stands."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            if isinstance(field, models.CharField | models.TextField | models.JSONField):
                for word in words:
                    if model._default_manager.filter(**{f"{field.name}__icontains": word}).exists():
                        found.append(f"{model._meta.label}.{field.name}")
    return found


def test_after_an_erasure_nothing_in_the_database_tells_who_it_was(vera: User) -> None:
    before = _mentions((EMAIL, "Vera"))

    _said("erase_person", EMAIL, "--yes")

    assert {
        "accounts.User.email", "accounts.User.name", "accounts.Mail.text", "accounts.Mail.problem", "accounts.Notice.facts",
        "accounts.SignedInSession.browser",
    } <= set(before)  # fmt: skip
    assert _mentions((EMAIL, "Vera")) == []
    assert Notice.objects.get().facts[0]["name"] == f"script of erased-{vera.pk}@erased.invalid"
    assert AuditEntry.objects.filter(actor=f"person:{vera.pk}").exists()
    call_command("verify_audit", stdout=StringIO())


def test_whoever_was_erased_comes_in_no_more(vera: User) -> None:
    browser = signed_in(vera)

    _said("erase_person", EMAIL, "--yes")

    assert browser.get("/settings/").status_code == 302
    assert Client().post("/sign-in/", {"username": EMAIL, "password": PASSWORD}).status_code != 302


def test_the_last_owner_is_not_erased(acme: Customer) -> None:
    a_member(acme)

    with pytest.raises(CommandError, match="at least one owner"):
        call_command("erase_person", "olga@acme.example", "--yes")

    assert User.objects.get(email="olga@acme.example").is_active
    assert acme.memberships.count() == 1


def test_nothing_is_erased_without_a_yes_or_for_nobody(vera: User) -> None:
    with pytest.raises(CommandError, match="--yes"):
        call_command("erase_person", EMAIL)
    with pytest.raises(CommandError, match="no such person"):
        call_command("export_person", "nobody@acme.example")

    vera.refresh_from_db()
    assert vera.email == EMAIL


def test_an_operator_exports_and_erases_in_the_admin(vera: User) -> None:
    root = signed_in(User.objects.get(is_superuser=True))
    told = root.get(reverse("admin:accounts_user_export_person", args=[vera.pk]))

    refused = root.post(
        reverse("admin:accounts_user_erase_person", args=[vera.pk]), {"email": "other@acme.example", "_form_submitted": "1"}
    )
    vera.refresh_from_db()
    kept = vera.email
    root.post(reverse("admin:accounts_user_erase_person", args=[vera.pk]), {"email": EMAIL, "_form_submitted": "1"})

    assert json.loads(told.content)["person"]["email"] == EMAIL
    assert told["Content-Disposition"] == 'attachment; filename="person.json"'
    assert refused.status_code < 400
    assert kept == EMAIL
    vera.refresh_from_db()
    assert vera.email == f"erased-{vera.pk}@erased.invalid"
