"""The code after the password: made once, asked for, good once, replaced by paper; and staff cannot do without."""

import base64
import re
import time
from datetime import timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from django.utils.timezone import now
from pytest_django import Settings

from accounts import sealed, second_factor
from accounts.models import SecondFactor, User
from tests.cast import PASSWORD, a_customer, a_member, an_operator, signed_in

pytestmark = pytest.mark.django_db


def digits(secret: str, at: float | None = None) -> str:
    """What the app shows."""
    key = base64.b32decode(secret.replace(" ", ""))
    return TOTP(key, 6, SHA1(), 30).generate(int(at or time.time())).decode()  # noqa: S303 - what every app speaks


def with_factor(user: User) -> tuple[str, list[str]]:
    secret = second_factor.begin(user)
    paper = second_factor.confirm(user, digits(secret, time.time() - 30))
    assert paper is not None
    return secret, paper


def knock(email: str = "olga@acme.example") -> Client:
    """Show the password."""
    client = Client()
    client.post("/sign-in/", {"username": email, "password": PASSWORD})
    return client


def test_the_digits_are_those_of_rfc_6238() -> None:
    user = a_member(a_customer())
    SecondFactor.objects.create(user=user, sealed=sealed.seal(b"12345678901234567890"), confirmed=True)

    with time_machine.travel(1_111_111_109, tick=False):
        right, wrong = second_factor.spend(user, "081804"), second_factor.spend(user, "081805")

    assert (right, wrong) == (True, False)


def test_the_password_alone_opens_nothing_any_more() -> None:
    secret, _ = with_factor(a_member(a_customer()))
    client = knock()

    before = client.get("/").status_code
    wrong = client.post("/sign-in/code/", {"code": "000000"}).status_code
    right = client.post("/sign-in/code/", {"code": digits(secret), "next": "/usage/"})

    assert (before, wrong, right.status_code, right["Location"]) == (302, 400, 302, "/usage/")
    assert client.get("/").status_code == 200


def test_a_code_counts_once() -> None:
    secret, _ = with_factor(a_member(a_customer()))
    code = digits(secret)

    answers = [knock().post("/sign-in/code/", {"code": code}).status_code for _ in range(2)]

    assert answers == [302, 400]


def test_a_paper_code_counts_once() -> None:
    _, paper = with_factor(a_member(a_customer()))

    answers = [knock().post("/sign-in/code/", {"code": paper[3]}).status_code for _ in range(2)]

    assert answers == [302, 400]
    assert len(SecondFactor.objects.get().paper) == 9


def test_codes_cannot_be_guessed_and_the_password_does_not_last() -> None:
    secret, _ = with_factor(a_member(a_customer()))
    client = knock()
    for _ in range(10):
        client.post("/sign-in/code/", {"code": "000000"})

    locked = client.post("/sign-in/code/", {"code": digits(secret)})
    with time_machine.travel(now() + timedelta(minutes=20)):
        late = client.post("/sign-in/code/", {"code": digits(secret)})

    assert (locked.status_code, "Too many attempts" in locked.content.decode()) == (400, True)
    assert (late.status_code, late["Location"]) == (302, "/sign-in/")


def test_a_person_makes_one_on_the_settings_page() -> None:
    olga = a_member(a_customer())
    client = signed_in(olga)
    page = client.get("/settings/two-step/").content.decode()
    secret = re.search(r'<code id="secret">([A-Z2-7 ]+)</code>', page)
    assert secret

    wrong = client.post("/settings/two-step/", {"code": "000000"}).status_code
    unasked = second_factor.needed(olga)
    done = client.post("/settings/two-step/", {"code": digits(secret[1])}).content.decode()

    assert (wrong, unasked, second_factor.needed(olga)) == (400, False, True)
    assert 'id="paper"' in done
    assert secret[1].replace(" ", "").encode() not in bytes(SecondFactor.objects.get().sealed or b"")


def test_staff_make_one_before_anything_else(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    otto = an_operator()
    client = signed_in(otto)

    before = [client.get(path) for path in ("/admin/", "/api/v1/customers/", "/admin/accounts/user/")]
    with_factor(otto)

    assert [(answer.status_code, answer["Location"]) for answer in before] == [(302, "/settings/two-step/")] * 3
    assert client.get("/admin/").status_code == 200
    assert signed_in(a_member(a_customer())).get("/").status_code == 200


def test_the_deployment_check_names_a_demo(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False

    with pytest.raises(SystemCheckError, match="Staff sign in with a password alone"):
        call_command("check", "--deploy", "--fail-level", "WARNING", "--tag", "security")
