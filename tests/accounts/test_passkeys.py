"""Passkeys: one signs in whoever made it, and nothing that differs from it in any one place does."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils.timezone import now
from pytest_django import Settings

from accounts import attempts, passkeys
from accounts.models import AuditEntry, Passkey, User
from tests.accounts.authenticator import PRESENT, VERIFIED, Authenticator, encoded
from tests.cast import a_customer, a_member, signed_in

pytestmark = pytest.mark.django_db


def challenge(client: Client) -> dict[str, Any]:
    asked: dict[str, Any] = client.post("/passkey/challenge/").json()["publicKey"]
    return asked


def invited(client: Client) -> dict[str, Any]:
    asked: dict[str, Any] = client.post("/settings/passkeys/options/").json()["publicKey"]
    return asked


def made_by(user: User, **lies: Any) -> Authenticator:
    """The person's new passkey."""
    client, device = signed_in(user), Authenticator()
    client.post("/settings/passkeys/new/", {"credential": device.make(invited(client), **lies), "name": "Phone"})
    return device


def enter(client: Client, answer: str, wanted: str = "") -> bool:
    """Show a passkey at the door. Return whether it opened."""
    client.post("/sign-in/passkey/", {"credential": answer, "next": wanted})
    return client.get("/settings/").status_code == 200


@pytest.fixture
def olga() -> User:
    return a_member(a_customer())


def test_a_passkey_signs_in_without_an_address_or_a_password(olga: User) -> None:
    device, client = made_by(olga), Client()

    answer = client.post("/sign-in/passkey/", {"credential": device.show(challenge(client)), "next": "/usage/"})

    assert (answer.status_code, answer["Location"]) == (302, "/usage/")
    assert client.get("/").wsgi_request.user == olga
    assert Passkey.objects.get().used_at is not None
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {"passkey.added", "signed-in", "passkey.used"}


def test_what_is_asked_for_tells_nobody_who_has_an_account(olga: User) -> None:
    before = challenge(Client())
    made_by(olga)
    after = challenge(Client())

    assert before.keys() == after.keys()
    assert {name: value for name, value in after.items() if name != "challenge"} == {
        "rpId": "localhost", "timeout": 300_000, "userVerification": "required",
    }  # fmt: skip
    assert before["challenge"] != after["challenge"]


LIES: dict[str, dict[str, Any]] = {
    "another site": {"origin": "http://localhost.evil.example"},
    "another port": {"origin": "http://localhost:8001"},
    "another scheme": {"origin": "https://localhost:8000"},
    "a name below ours": {"origin": "http://evil.localhost:8000"},
    "within another site's page": {"framed": True},
    "another challenge": {"challenge": encoded(bytes(32))},
    "for another party": {"rp": "evil.example"},
    "nobody was there": {"flags": VERIFIED},
    "nobody was verified": {"flags": PRESENT},
    "an answer to making one": {"kind": "webauthn.create"},
    "a passkey that nobody knows": {"credential_id": b"unknown"},
    "another person's": {"handle": b"somebody else"},
    "no person's": {"handle": b""},
    "signed with another key": {"key": ec.generate_private_key(ec.SECP256R1())},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_whatever_differs_in_one_place_is_refused(olga: User, lie: dict[str, Any]) -> None:
    device, client = made_by(olga), Client()

    refused = enter(client, device.show(challenge(client), **lie))
    honest = enter(client, device.show(challenge(client)))

    assert (refused, honest) == (False, True)
    assert AuditEntry.objects.filter(action="passkey.refused").count() == 1


@pytest.mark.parametrize(
    "answer", ["", "{", "[]", "null", '"x"', "{}", '{"rawId": 5}', '{"id": "a", "rawId": "b"}', "9" * 30_000]
)
def test_what_is_no_answer_at_all_is_refused_too(olga: User, answer: str) -> None:
    client = Client()
    challenge(client)

    assert enter(client, answer) is False


def test_every_refusal_reads_the_same(olga: User) -> None:
    device, said = made_by(olga), set()
    for lie in ({"credential_id": b"unknown"}, {"origin": "http://evil.example"}, {"challenge": encoded(bytes(32))}):
        client = Client()
        page = client.post("/sign-in/passkey/", {"credential": device.show(challenge(client), **lie)}, follow=True)
        said.add(page.content.decode().split('role="status">')[1].split("<")[0])

    assert said == {"This passkey was not accepted. Try again, or use your password."}


def test_an_answer_counts_once_in_its_own_browser(olga: User) -> None:
    device, client, other = made_by(olga), Client(), Client()
    answer = device.show(challenge(client))
    challenge(other)

    elsewhere, first = enter(other, answer), enter(client, answer)
    client.post("/sign-out/")
    again = enter(client, answer)

    assert (elsewhere, first, again) == (False, True, False)


def test_of_two_requests_that_bring_the_same_answer_at_once_one_counts(olga: User) -> None:
    """Both have read the session before either has written it, so its own memory cannot tell."""
    device, client = made_by(olga), Client()
    answer = device.show(challenge(client))
    session = client.session
    state = session[passkeys.CHALLENGE]

    passkeys.shown(session, answer)
    session[passkeys.CHALLENGE] = state

    with pytest.raises(passkeys.Refused, match="No challenge is open"):
        passkeys.shown(session, answer)


def test_a_challenge_lasts_five_minutes(olga: User) -> None:
    device, client = made_by(olga), Client()
    with time_machine.travel(now(), tick=False) as clock:
        late = device.show(challenge(client))
        clock.shift(timedelta(seconds=301))
        too_late = enter(client, late)
        early = device.show(challenge(client))
        clock.shift(timedelta(seconds=299))

        assert (too_late, enter(client, early)) == (False, True)


def test_a_copy_is_seen_by_its_count(olga: User) -> None:
    device, client = made_by(olga, uses=7), Client()
    first = enter(client, device.show(challenge(client), uses=9))

    answers = [_enters(device, uses) for uses in (9, 8, 0)]
    grown = _enters(device, 10)

    assert (first, answers, grown) == (True, [False, False, False], True)
    assert AuditEntry.objects.filter(action="passkey.cloned").count() == 3


def _enters(device: Authenticator, uses: int) -> bool:
    client = Client()
    return enter(client, device.show(challenge(client), uses=uses))


def test_somebody_who_may_come_no_more_is_not_let_in_by_a_passkey(olga: User) -> None:
    device = made_by(olga)
    before = _enters(device, 0)
    User.objects.update(is_active=False)

    assert (before, _enters(device, 0)) == (True, False)


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "http://evil.example"}, {"rp": "evil.example"}, {"flags": PRESENT}, {"flags": VERIFIED}, {"framed": True},
        {"challenge": encoded(bytes(32))}, {"kind": "webauthn.get"}, {"algorithm": -65535}, {"credential_id": bytes(1024)},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_is_kept_that_was_not_made_here_now_and_by_a_person(olga: User, lie: dict[str, Any]) -> None:
    made_by(olga, **lie)
    refused = Passkey.objects.count()
    made_by(olga)

    assert (refused, Passkey.objects.count()) == (0, 1)


def test_one_persons_challenge_makes_no_passkey_for_another(olga: User) -> None:
    vera = a_member(email="vera@acme.example")
    client, device = signed_in(olga), Authenticator()
    answer = device.make(invited(client))
    session = client.session

    with pytest.raises(passkeys.Refused, match="another one's"):
        passkeys.add(session, vera, answer, "Phone")

    assert not Passkey.objects.exists()


def test_a_device_holds_one_passkey_of_a_person_and_all_know_them_by_one_name(olga: User) -> None:
    device = made_by(olga)

    asked = invited(signed_in(olga))

    assert [entry["id"] for entry in asked["excludeCredentials"]] == [encoded(device.credential_id)]
    assert asked["user"]["id"] == encoded(device.handle)
    assert len(device.handle) == 32
    client = signed_in(olga)
    client.post("/settings/passkeys/new/", {"credential": device.make(invited(client)), "name": "Again"})
    assert Passkey.objects.count() == 1


def test_challenges_are_not_to_be_had_without_end(olga: User) -> None:
    for _ in range(attempts.FROM_ONE_ADDRESS):
        attempts.may_begin("127.0.0.1")

    here, elsewhere = Client().post("/passkey/challenge/"), Client(REMOTE_ADDR="192.0.2.7").post("/passkey/challenge/")

    assert (here.status_code, elsewhere.status_code) == (429, 200)


@pytest.mark.parametrize(
    ("site", "origin"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://Billing.Example.com", "https://billing.example.com"),
        ("https://billing.example.com:443", "https://billing.example.com"),
        ("https://billing.example.com:8443", "https://billing.example.com:8443"),
    ],
)
def test_the_site_is_named_as_browsers_name_it(settings: Settings, site: str, origin: str) -> None:
    settings.SITE_URL = site

    assert passkeys.origin() == origin
