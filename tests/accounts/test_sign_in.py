"""Guessing is slow, sessions end, and what matters asks for the password again."""

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest import mock

import pytest
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection, connections
from django.test import Client
from django.utils.timezone import now
from pytest_django import Settings

from accounts import attempts
from accounts.models import AuditEntry, SignedInSession, User
from accounts.tasks import forget_ended_sessions
from tests.cast import PASSWORD, a_customer, a_member, signed_in


def enter(client: Client, password: str = PASSWORD, email: str = "olga@acme.example") -> int:
    return client.post("/sign-in/", {"username": email, "password": password}).status_code


@pytest.mark.django_db(transaction=True)
def test_of_a_thousand_guesses_at_once_ten_are_looked_at() -> None:
    a_member(a_customer())

    def guess(number: int) -> bool:
        try:
            return attempts.may_try("olga@acme.example", "203.0.113.9")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        looked_at = sum(pool.map(guess, range(1_000)))

    connections.close_all()
    assert looked_at == attempts.FROM_ONE_PLACE


@pytest.mark.django_db
def test_after_ten_mistakes_even_the_right_password_waits_a_quarter_of_an_hour() -> None:
    a_member(a_customer())
    client = Client()
    for _ in range(10):
        enter(client, "wrong")

    locked = client.post("/sign-in/", {"username": "olga@acme.example", "password": PASSWORD})
    elsewhere = enter(Client(REMOTE_ADDR="203.0.113.9"))
    with time_machine.travel(now() + timedelta(minutes=16)):
        later = enter(client)

    assert (locked.status_code, elsewhere, later) == (200, 302, 302)
    assert "Too many attempts" in locked.content.decode()
    assert AuditEntry.objects.filter(action="sign-in.locked").exists()


@pytest.mark.django_db
def test_the_right_password_forgives_mistakes() -> None:
    a_member(a_customer())
    for _ in range(3):
        for _ in range(9):
            enter(Client(), "wrong")

        assert enter(Client()) == 302


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["olga@acme.example", "nobody@acme.example", "gone@acme.example"])
def test_whoever_is_tried_one_password_is_hashed(settings: Settings, email: str) -> None:
    """So the answer takes as long for an account that does not exist."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    a_member(a_customer())
    a_member(email="gone@acme.example", is_active=False)

    with mock.patch.object(PBKDF2PasswordHasher, "encode", autospec=True, side_effect=PBKDF2PasswordHasher.encode) as hashed:
        enter(Client(), "wrong", email)

    assert hashed.call_count == 1


@pytest.mark.django_db
def test_a_missing_account_takes_as_long_as_one_that_is_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Medians of attempts in turns, in this thread's own time, which other programs on the machine do not add to."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 200_000)
    a_member(a_customer())
    took: dict[str, list[float]] = {"olga@acme.example": [], "nobody@acme.example": []}

    for _ in range(attempts.FROM_ONE_PLACE - 1):
        for email, times in took.items():
            began = time.thread_time()
            enter(Client(), "wrong", email)
            times.append(time.thread_time() - began)

    there, missing = (statistics.median(times[1:]) for times in took.values())
    assert 0.9 < missing / there < 1.1


@pytest.mark.django_db
def test_a_session_ends_when_idle_and_after_a_week_whatever_happens(settings: Settings) -> None:
    settings.SESSION_IDLE_MINUTES, settings.SESSION_HOURS = 60, 5
    began = now()
    client = signed_in(a_member(a_customer()))

    with time_machine.travel(began + timedelta(minutes=59)):
        in_use = client.get("/").status_code
    with time_machine.travel(began + timedelta(minutes=118)):
        still = client.get("/").status_code
    with time_machine.travel(began + timedelta(minutes=179)):
        idle = client.get("/").status_code
    client, began = signed_in(User.objects.get()), now()
    used = []
    for minutes in range(50, 400, 50):
        with time_machine.travel(began + timedelta(minutes=minutes)):
            used.append(client.get("/").status_code)

    assert (in_use, still, idle) == (200, 200, 302)
    assert used == [200] * 5 + [302] * 2


@pytest.mark.django_db
def test_a_person_sees_their_browsers_and_ends_another() -> None:
    olga = a_member(a_customer())
    here = Client(headers={"user-agent": "Firefox here"})
    there = Client(headers={"user-agent": "Chrome there"})
    enter(here)
    enter(there)
    page = here.get("/settings/").content.decode()
    other = SignedInSession.objects.get(browser="Chrome there")

    ended = here.post(f"/settings/sessions/{other.pk}/end/").status_code

    assert "Chrome there" in page
    assert (ended, there.get("/").status_code, here.get("/").status_code) == (302, 302, 200)
    mallory = signed_in(a_member(email="mallory@bolt.example"))
    mine = SignedInSession.objects.get(user=olga)
    assert mallory.post(f"/settings/sessions/{mine.pk}/end/").status_code == 404


@pytest.mark.django_db
def test_sessions_that_are_over_are_forgotten_and_others_are_not(settings: Settings) -> None:
    settings.SESSION_COOKIE_AGE = 5 * 3600
    signed_in(a_member(a_customer()))
    with time_machine.travel(now() + timedelta(hours=3)):
        living = signed_in(User.objects.get())
    with time_machine.travel(now() + timedelta(hours=6)):
        forget_ended_sessions()

    kept = living.session.session_key
    assert [session.session_key for session in Session.objects.all()] == [kept]
    assert [row.session_key for row in SignedInSession.objects.all()] == [kept]


@pytest.mark.django_db
def test_a_cookie_is_worth_nothing_after_signing_out() -> None:
    a_member(a_customer())
    client, thief = Client(), Client()
    enter(client)
    thief.cookies["sessionid"] = client.cookies["sessionid"].value
    before = thief.get("/").status_code

    client.post("/sign-out/")

    assert (before, thief.get("/").status_code) == (200, 302)


@pytest.mark.django_db
def test_a_session_from_before_the_sign_in_is_not_kept() -> None:
    a_member(a_customer())
    client = Client()
    session = client.session
    session["planted"] = "by mallory"
    session.save()
    planted = session.session_key or ""
    client.cookies["sessionid"] = planted

    enter(client)

    assert client.cookies["sessionid"].value != planted
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert thief.get("/").status_code == 302


@pytest.mark.django_db
def test_keys_ask_for_a_password_that_is_older_than_a_quarter_of_an_hour() -> None:
    client = signed_in(a_member(a_customer()))
    fresh = client.get("/settings/keys/").status_code

    with time_machine.travel(now() + timedelta(minutes=16)):
        stale = client.get("/settings/keys/")
        wrong = client.post("/confirm/", {"password": "wrong", "next": "/settings/keys/"})
        right = client.post("/confirm/", {"password": PASSWORD, "next": "/settings/keys/"})
        after = client.get("/settings/keys/")

    assert (fresh, stale.status_code, stale["Location"]) == (200, 302, "/confirm/?next=%2Fsettings%2Fkeys%2F")
    assert (wrong.status_code, right["Location"], after.status_code) == (400, "/settings/keys/", 200)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example", "\thttps:/evil"],
)
def test_the_way_back_never_leaves_this_site(target: str) -> None:
    client = signed_in(a_member(a_customer()))

    onward = client.post("/confirm/", {"password": PASSWORD, "next": target})["Location"]
    signed = Client().post("/sign-in/", {"username": "olga@acme.example", "password": PASSWORD, "next": target})["Location"]

    assert "evil" not in onward + signed
    assert "javascript" not in onward + signed


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short-one-7", "at least 12"),
        ("x" * 129, "at most 128"),
        ("password12345", "too common"),
        ("olga@acme.example", "too similar"),
        ("corehour-billing", "too little is left"),
    ],
)
def test_a_bad_password_is_refused_with_the_reason(password: str, why: str) -> None:
    client = signed_in(a_member(a_customer()))

    page = client.post(
        "/settings/password/", {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    ).content.decode()

    assert why in page
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["a sentence with spaces", "Ünïcödé ist erlaubt 🙂", "alllowercaseletters"])
def test_a_good_password_needs_no_special_signs_and_ends_other_sessions(password: str) -> None:
    client, other = signed_in(a_member(a_customer())), signed_in(User.objects.get())

    answer = client.post("/settings/password/", {"old_password": PASSWORD, "new_password1": password, "new_password2": password})

    assert answer.status_code == 302
    assert (client.get("/").status_code, other.get("/").status_code) == (200, 302)
    assert User.objects.get().check_password(password)


@pytest.mark.django_db
def test_a_lost_password_is_replaced_by_a_link_that_works_once() -> None:
    a_member(a_customer())
    known = Client().post("/password/", {"email": "Olga@acme.example"})
    unknown = Client().post("/password/", {"email": "nobody@acme.example"})
    link = re.search(r"http://testserver(/password/\S+)", str(mail.outbox[0].body))
    assert link
    client = Client()
    form = client.get(link[1])["Location"]
    new = "entirely other words"

    client.post(form, {"new_password1": new, "new_password2": new})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(mail.outbox) == 1
    assert enter(Client(), new) == 302
    assert "This link is used up" in Client().get(link[1]).content.decode()
