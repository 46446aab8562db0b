"""The first operator comes in by a link that works once; afterwards there is no such link."""

from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from tests.cast import a_customer, a_member, an_operator

pytestmark = pytest.mark.django_db
NEW = "entirely other words"


def _invited(email: str) -> str:
    said = StringIO()
    call_command("invite_operator", email, stdout=said)
    return urlsplit(said.getvalue().strip()).path


def _set_password(link: str) -> None:
    client = Client()
    form = client.get(link)["Location"]
    client.post(form, {"new_password1": NEW, "new_password2": NEW})


def test_the_link_lets_the_first_operator_in_once() -> None:
    link = _invited("Otto@corehour.example")

    _set_password(link)

    client = Client()
    assert client.post("/sign-in/", {"username": "otto@corehour.example", "password": NEW}).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert "This link is used up" in Client().get(link).content.decode()
    with pytest.raises(CommandError, match="There is an operator already"):
        call_command("invite_operator", "mallory@corehour.example")


def test_who_was_invited_by_mistake_keeps_no_powers() -> None:
    wrong = _invited("otot@corehour.example")

    _set_password(_invited("otto@corehour.example"))

    assert list(User.objects.filter(is_superuser=True).values_list("email", flat=True)) == ["otto@corehour.example"]
    _set_password(wrong)
    assert not User.objects.get(email="otot@corehour.example").is_staff


def test_nobody_with_an_account_is_made_operator_by_it() -> None:
    a_member(a_customer())

    with pytest.raises(CommandError, match="Choose another address"):
        call_command("invite_operator", "olga@acme.example")

    an_operator()
    with pytest.raises(CommandError, match="There is an operator already"):
        call_command("invite_operator", "new@corehour.example")


def test_a_word_that_is_no_address_is_refused() -> None:
    with pytest.raises(CommandError, match="no e-mail address"):
        call_command("invite_operator", "otto")
