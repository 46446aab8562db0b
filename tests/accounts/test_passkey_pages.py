"""Passkeys in the settings and at the doors: staff's second factor, the question whether it is still you, mail, and privacy."""

import json
import time
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils.timezone import now
from pytest_django import Settings

from accounts import second_factor
from accounts.models import AuditEntry, Mail, Passkey, User
from invoices.tasks import send_waiting_mail
from tests.accounts.test_passkeys import challenge, enter, made_by
from tests.accounts.test_second_factor import digits, knock, with_factor
from tests.cast import a_customer, a_member, an_operator, signed_in

pytestmark = pytest.mark.django_db
HERE = {"host": "localhost:8000"}


@pytest.fixture
def olga() -> User:
    return a_member(a_customer())


@pytest.fixture
def otto(settings: Settings) -> User:
    """Staff, where staff must have a second factor."""
    settings.STAFF_SECOND_FACTOR = True
    return an_operator()


def test_the_settings_say_how_one_signs_in(olga: User) -> None:
    client = signed_in(olga)
    before = client.get("/settings/").content.decode()
    made_by(olga)
    with_factor(olga)
    after = client.get("/settings/").content.decode()

    assert "No passkey yet. No authenticator app (TOTP) yet." in before
    assert "One passkey signs you in. An authenticator app gives codes (TOTP)." in after


def test_a_passkey_is_listed_renamed_and_removed_by_its_owner_alone(olga: User) -> None:
    made_by(olga)
    pk = Passkey.objects.get().pk
    mine, theirs = signed_in(olga), signed_in(a_member(email="vera@acme.example"))

    foreign = [theirs.post(f"/settings/passkeys/{pk}/{act}/", {"name": "Mine"}).status_code for act in ("rename", "remove")]
    mine.post(f"/settings/passkeys/{pk}/rename/", {"name": "Work <laptop>"})
    listed = mine.get("/settings/passkeys/").content.decode()
    mine.post(f"/settings/passkeys/{pk}/rename/", {"name": " "})
    kept = Passkey.objects.get().name
    removed = mine.post(f"/settings/passkeys/{pk}/remove/")

    assert foreign == [404, 404]
    assert "Work &lt;laptop&gt;" in listed
    assert (kept, removed.status_code, Passkey.objects.count()) == ("Work <laptop>", 302, 0)


def test_a_removed_passkey_opens_nothing(olga: User) -> None:
    device = made_by(olga)
    client = Client()
    answer = device.show(challenge(client))
    signed_in(olga).post(f"/settings/passkeys/{Passkey.objects.get().pk}/remove/")

    assert enter(client, answer) is False


@pytest.mark.parametrize("page", ["/settings/passkeys/", "/settings/two-step/"])
def test_factors_are_changed_soon_after_the_password_alone(olga: User, page: str) -> None:
    client = signed_in(olga)
    fresh = client.get(page).status_code
    with time_machine.travel(now() + timedelta(minutes=16)):
        stale = client.get(page)

    assert (fresh, stale.status_code, stale["Location"].split("?")[0]) == (200, 302, "/confirm/")


def test_a_members_passkey_is_a_shorter_way_in_and_the_password_still_does(olga: User) -> None:
    made_by(olga)

    assert knock().get("/settings/").status_code == 200


def test_staff_show_a_passkey_after_the_password_and_then_come_in(otto: User) -> None:
    device = made_by(otto)
    client = knock("otto@corehour.example")
    before = client.get("/admin/")
    asked = client.get("/sign-in/code/", headers=HERE).content.decode()

    opened = enter(client, device.show(challenge(client)))

    assert (before.status_code, opened, client.get("/admin/").status_code) == (302, True, 200)
    assert "data-passkey" in asked
    assert "one-time-code" not in asked


def test_no_code_opens_for_staff_who_have_a_passkey_alone(otto: User) -> None:
    made_by(otto)
    client = knock("otto@corehour.example")

    assert client.post("/sign-in/code/", {"code": "000000"}).status_code == 400
    assert client.get("/admin/").status_code == 302


def test_staff_keep_their_last_factor_whichever_it_is(otto: User) -> None:
    made_by(otto)
    client, pk = signed_in(otto), Passkey.objects.get().pk
    client.post(f"/settings/passkeys/{pk}/remove/")
    kept = Passkey.objects.count()
    with_factor(otto)

    client.post(f"/settings/passkeys/{pk}/remove/")
    gone = Passkey.objects.count()
    client.post("/settings/two-step/remove/")

    assert (kept, gone, second_factor.has_codes(otto)) == (1, 0, True)
    assert AuditEntry.objects.filter(action="second-factor.removed").count() == 0


def test_a_member_may_remove_what_they_have(olga: User) -> None:
    with_factor(olga)

    signed_in(olga).post("/settings/two-step/remove/")

    assert second_factor.has_codes(olga) is False


def test_another_telephone_takes_over_when_it_has_shown_its_first_code(otto: User) -> None:
    old, _ = with_factor(otto)
    client = signed_in(otto)
    page = client.get("/settings/two-step/?new=1").content.decode()
    new = page.split('id="secret">')[1].split("<")[0]

    still = second_factor.spend(otto, digits(old))
    with time_machine.travel(time.time() + 60, tick=False):
        wrong = client.post("/settings/two-step/?new=1", {"code": digits(old)}).status_code
        right = client.post("/settings/two-step/?new=1", {"code": digits(new)}).status_code
    with time_machine.travel(time.time() + 120, tick=False):
        after = [second_factor.spend(otto, digits(secret)) for secret in (old, new)]

    assert (still, wrong, right, after) == (True, 400, 200, [False, True])


def test_a_passkey_shows_that_it_is_still_you_and_anothers_does_not(olga: User) -> None:
    mine, theirs = made_by(olga), made_by(a_member(email="vera@acme.example"))
    client = signed_in(olga)
    with time_machine.travel(now() + timedelta(minutes=16)):
        asked = client.get("/settings/keys/").status_code
        client.post("/confirm/passkey/", {"credential": theirs.show(challenge(client)), "next": "/settings/keys/"})
        refused = client.get("/settings/keys/").status_code
        answer = client.post("/confirm/passkey/", {"credential": mine.show(challenge(client)), "next": "/settings/keys/"})
        opened = client.get("/settings/keys/").status_code

    assert (asked, refused, answer["Location"], opened) == (302, 302, "/settings/keys/", 200)


def test_doors_offer_a_passkey_where_it_is_good_and_to_whom_has_one(olga: User) -> None:
    client = signed_in(olga)
    without = client.get("/confirm/", headers=HERE).content.decode()
    made_by(olga)

    assert "data-passkey" in Client().get("/sign-in/", headers=HERE).content.decode()
    assert "data-passkey" not in Client().get("/sign-in/").content.decode()
    assert "data-passkey" in client.get("/confirm/", headers=HERE).content.decode()
    assert "data-passkey" not in without
    assert 'href="http://localhost:8000"' in client.get("/settings/passkeys/").content.decode()


@pytest.mark.parametrize(
    ("language", "added", "removed"),
    [
        ("", "A passkey was added to your account", "A passkey was removed from your account"),
        ("de", "Ein Passkey wurde Ihrem Konto hinzugefügt", "Ein Passkey wurde aus Ihrem Konto entfernt"),
    ],
)
def test_the_person_is_written_to_when_one_comes_or_goes(language: str, added: str, removed: str) -> None:
    olga = a_member(a_customer(), language=language)
    made_by(olga)
    signed_in(olga).post(f"/settings/passkeys/{Passkey.objects.get().pk}/remove/")

    sent = send_waiting_mail()

    assert sent == 2
    assert [(letter.to, letter.subject) for letter in mail.outbox] == [
        (["olga@acme.example"], added),
        (["olga@acme.example"], removed),
    ]
    assert "127.0.0.1" in str(mail.outbox[0].body)
    assert "Phone" not in str(mail.outbox[0].body)


def test_staff_are_written_to_as_well_and_of_every_other_factor(otto: User) -> None:
    with_factor(otto)
    signed_in(otto).post(
        "/settings/password/",
        {
            "old_password": "correct horse battery staple",
            "new_password1": "another horse and more staples",
            "new_password2": "another horse and more staples",
        },
    )

    send_waiting_mail()

    assert [letter.subject for letter in mail.outbox] == [
        "An authenticator app was added to your account",
        "The password of your account was changed",
    ]
    assert Mail.objects.filter(kind="security", customer=None, state="sent").count() == 2


def test_an_export_names_the_passkeys_and_an_erasure_takes_them(olga: User) -> None:
    vera = a_member(olga.customers.get(), email="vera@acme.example", role="viewer")
    device = made_by(vera)
    out = StringIO()
    call_command("export_person", "vera@acme.example", stdout=out)

    call_command("erase_person", "vera@acme.example", "--yes", stdout=StringIO())

    told = json.loads(out.getvalue())["passkeys"]
    assert [entry["name"] for entry in told] == ["Phone"]
    assert set(told[0]) == {"name", "created_at", "used_at"}
    assert not Passkey.objects.exists()
    client = Client()
    assert enter(client, device.show(challenge(client))) is False
