"""The operator's desk for people and keys."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import ApiKey, Customer, User
from tests.cast import PASSWORD, a_customer, a_member, an_operator, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Client:
    return signed_in(an_operator())


def user_form(**changes: object) -> dict[str, object]:
    rows = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    return {"email": "new@acme.example", "name": "New", "is_active": "on", **rows, **changes}


def test_an_operator_signs_in_by_e_mail_however_it_is_written() -> None:
    an_operator("otto@corehour.example")
    client = Client()

    answer = client.post("/admin/login/?next=/admin/", {"username": "Otto@Corehour.example", "password": PASSWORD})
    wrong = Client().post("/admin/login/?next=/admin/", {"username": "otto@corehour.example", "password": "wrong"})

    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert wrong.status_code == 200


def test_a_member_without_staff_rights_stays_outside() -> None:
    client = signed_in(a_member(a_customer()))

    answer = client.get("/admin/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")


def test_a_user_is_made_with_an_address_in_lower_case(desk: Client) -> None:
    form = user_form(email="New@Acme.example", usable_password="true", password1=PASSWORD, password2=PASSWORD)

    answer = desk.post("/admin/accounts/user/add/", form)

    assert answer.status_code == 302
    assert User.objects.get(email="new@acme.example").check_password(PASSWORD)


def test_only_a_superuser_hands_out_powers(desk: Client) -> None:
    clerk = a_member(email="clerk@corehour.example", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    target = a_member(email="target@corehour.example")
    url, form = f"/admin/accounts/user/{target.pk}/change/", user_form(email=target.email, is_superuser="on", is_staff="on")

    signed_in(clerk).post(url, form)
    after_clerk = User.objects.get(pk=target.pk).is_superuser
    desk.post(url, form)

    assert after_clerk is False
    assert User.objects.get(pk=target.pk).is_superuser is True


def test_a_clerk_cannot_touch_a_superuser() -> None:
    boss = an_operator("boss@corehour.example")
    clerk = a_member(email="clerk@corehour.example", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user", "delete_user"]))
    client = signed_in(clerk)

    answers = [client.post(f"/admin/accounts/user/{boss.pk}/{page}/", user_form()) for page in ("change", "delete")]
    password = client.get(f"/admin/accounts/user/{boss.pk}/password/")

    assert [answer.status_code for answer in (*answers, password)] == [403, 403, 403]


def test_the_secret_of_a_new_key_is_shown_once(desk: Client) -> None:
    acme = a_customer()

    page = desk.post("/admin/accounts/apikey/add/", {"customer": acme.pk, "name": "Terraform"}, follow=True).content.decode()
    again = desk.get("/admin/accounts/apikey/").content.decode()

    secret = re.search(r"ch_[\w-]{43}", page)
    assert secret is not None
    assert ApiKey.objects.get().digest == ApiKey.digest_of(secret.group())
    assert secret.group() not in again


def test_a_customers_page_leads_to_a_new_key_of_its_own(desk: Client) -> None:
    acme = a_customer()

    answer = desk.get(f"/admin/accounts/customer/{acme.pk}/new-key/")

    assert (answer.status_code, answer["Location"]) == (302, f"/admin/accounts/apikey/add/?customer={acme.pk}")


def test_keys_are_revoked_and_never_deleted(desk: Client) -> None:
    key, _ = ApiKey.issue(a_customer(), "Terraform")

    desk.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    deletion = desk.post(f"/admin/accounts/apikey/{key.pk}/delete/", {"post": "yes"})

    key.refresh_from_db()
    assert key.revoked_at is not None
    assert deletion.status_code == 403


def test_a_customers_code_and_currency_are_fixed_once_made(desk: Client) -> None:
    acme = a_customer()
    rows = {f"{name}-{form}_FORMS": 0 for name in ("memberships", "api_keys") for form in ("TOTAL", "INITIAL")}
    form = {
        "name": "Acme AG",
        "code": "other",
        "currency": "USD",
        "timezone": "Europe/Berlin",
        "locale": "de-DE",
        "grace_hours": 24,
        "due_days": 14,
    }

    answer = desk.post(f"/admin/accounts/customer/{acme.pk}/change/", form | rows)

    acme.refresh_from_db()
    assert answer.status_code == 302
    assert (acme.name, acme.code, acme.currency) == ("Acme AG", "acme", "EUR")


def test_a_time_zone_that_does_not_exist_is_refused(desk: Client) -> None:
    rows = {f"{name}-{form}_FORMS": 0 for name in ("memberships", "api_keys") for form in ("TOTAL", "INITIAL")}
    form = {
        "name": "Acme",
        "code": "acme",
        "currency": "EUR",
        "timezone": "Europe/Atlantis",
        "locale": "de-DE",
        "grace_hours": 24,
        "due_days": 14,
    }

    answer = desk.post("/admin/accounts/customer/add/", form | rows)

    assert answer.status_code == 200
    assert "no IANA time zone" in answer.content.decode()
    assert not Customer.objects.exists()


def test_what_is_chosen_can_be_taken_away_as_csv(desk: Client) -> None:
    evil = a_customer("evil", name="=HYPERLINK(1)")
    a_customer("bolt")

    answer = desk.post("/admin/accounts/customer/", {"action": "export_csv", "_selected_action": [evil.pk]})

    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert answer["Content-Disposition"] == 'attachment; filename="customers.csv"'
    assert [line.split(",")[:2] for line in lines] == [["code", "name"], ["evil", "'=HYPERLINK(1)"]]
