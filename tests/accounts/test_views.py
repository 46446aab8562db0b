"""The door as people meet it: who gets in, where they land, and what they are told when something is not there."""

import pytest
from django.test import Client

from tests.cast import PASSWORD, a_customer, a_member, an_operator, signed_in

pytestmark = pytest.mark.django_db


def sign_in(email: str, password: str = PASSWORD, **extra: str) -> str:
    """Fill in the form. Return where it leads, or "" where it stays."""
    answer = Client().post("/sign-in/", {"username": email, "password": password, **extra})
    return answer.headers.get("Location", "")


def test_a_member_gets_to_the_overview_and_back_to_the_page_they_wanted() -> None:
    a_member(a_customer())

    assert sign_in("olga@acme.example") == "/"
    assert sign_in("Olga@Acme.example", next="/usage/?range=last-month") == "/usage/?range=last-month"
    assert sign_in("olga@acme.example", next="https://elsewhere.example/") == "/"
    assert sign_in("olga@acme.example", "wrong") == ""


def test_a_wrong_password_and_an_unknown_address_read_the_same() -> None:
    a_member(a_customer())
    a_member(email="gone@acme.example", is_active=False)

    wrong, unknown, switched_off = (
        Client().post("/sign-in/", {"username": email, "password": password}).content.decode()
        for email, password in [("olga@acme.example", "x"), ("who@acme.example", "x"), ("gone@acme.example", PASSWORD)]
    )

    assert "This e-mail and password do not belong together." in wrong
    for page, email in ((unknown, "who@acme.example"), (switched_off, "gone@acme.example")):
        assert _without_token(page).replace(email, "olga@acme.example") == _without_token(wrong)


def _without_token(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if "csrfmiddlewaretoken" not in line)


def test_staff_without_a_customer_get_to_the_administration() -> None:
    operator = an_operator()

    assert sign_in("otto@corehour.example") == "/admin/"
    assert signed_in(operator).get("/").headers["Location"] == "/admin/"


def test_someone_without_a_customer_is_told_what_to_do() -> None:
    newcomer = a_member(email="new@acme.example")

    page = signed_in(newcomer).get("/")

    assert page.status_code == 200
    assert "not yet a member of a customer" in page.content.decode()
    assert signed_in(newcomer).get("/invoices/").status_code == 404


@pytest.mark.parametrize("path", ["/", "/machines/", "/machines/web-1/", "/usage/", "/invoices/", "/invoices/CH-1/", "/plan/"])
def test_a_stranger_is_asked_to_sign_in(path: str) -> None:
    answer = Client().get(path)

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/sign-in/?next={path}")


def test_signing_out_needs_a_button_and_not_a_link() -> None:
    client = signed_in(a_member(a_customer()))

    assert client.get("/sign-out/").status_code == 405
    assert client.get("/").status_code == 200
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302


def test_pages_allow_no_foreign_and_no_inline_script() -> None:
    policy = signed_in(a_member(a_customer())).get("/").headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_page_that_is_not_there_keeps_the_way_back() -> None:
    page = signed_in(a_member(a_customer())).get("/no-such-page/")

    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()
    assert 'href="/machines/"' in page.content.decode()


def test_an_error_names_the_request_and_asks_nothing_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(a_member(a_customer()))
    client.raise_request_exception = False
    monkeypatch.setattr("invoices.views.contracts", lambda *_: 1 / 0)

    page = client.get("/plan/")

    assert page.status_code == 500
    assert page.headers["X-Request-Id"] in page.content.decode()


def test_the_menu_leads_to_the_other_customers_of_a_person_and_to_no_one_elses() -> None:
    olga = a_member(a_customer("acme"), a_customer("bolt"))
    a_customer("cask")
    client = signed_in(olga)

    page = client.get("/?customer=bolt").content.decode()

    assert '<p class="account">Bolt</p>' in page
    assert 'href="/?customer=acme"' in page
    assert "cask" not in page
    assert '<p class="account">Bolt</p>' in client.get("/plan/").content.decode()
    assert client.get("/?customer=cask").status_code == 404
