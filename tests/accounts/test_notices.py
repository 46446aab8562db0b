"""Notices: told once, to those who may know, with mail to those who want it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail as outbox

from accounts import notices
from accounts.models import ApiKey, Customer, Mail, Notice, User
from accounts.notice_words import words_of
from invoices import tasks
from tests.cast import a_customer, a_member, signed_in

pytestmark = pytest.mark.django_db
Kind = Notice.Kind
BUDGET = {"budget": "100.00", "spent": "100.01", "currency": "EUR", "month": "2026-10-31T23:00:00+00:00"}
INVOICE = {"number": "CH-2026-0001", "total": "13.00", "currency": "EUR"}


def silent(*codes: str) -> dict[str, dict[str, str]]:
    return {f"machine:{code}:1": {"code": code, "name": code, "since": "2026-11-24T12:00:00+00:00"} for code in codes}


@pytest.fixture
def acme() -> Customer:
    return a_customer()


@pytest.fixture
def olga(acme: Customer) -> User:
    return a_member(acme)


def test_an_occasion_is_told_once_and_a_new_one_beside_it_alone(acme: Customer) -> None:
    first = notices.tell(acme, Kind.SILENT, silent("web-1", "web-2"))
    again = notices.tell(acme, Kind.SILENT, silent("web-1", "web-2"))
    more = notices.tell(acme, Kind.SILENT, silent("web-1", "web-3"))

    assert first is not None
    assert [one["code"] for one in first.facts] == ["web-1", "web-2"]
    assert again is None
    assert more is not None
    assert [one["code"] for one in more.facts] == ["web-3"]


def test_words_count_what_happened(acme: Customer) -> None:
    one = Notice(kind=Kind.SILENT, facts=list(silent("web-1").values()))
    many = Notice(kind=Kind.SILENT, facts=list(silent("a", "b", "c", "d", "e").values()))

    assert words_of(one, acme).title == "web-1 is silent"
    assert words_of(many, acme).title == "5 machines are silent"
    assert "from a, b, c and 2 more since 24 Nov, 13:00" in words_of(many, acme).text
    assert words_of(Notice(kind=Kind.BUDGET, facts=[BUDGET]), acme).text.startswith("November 2026 has come to €100.01 so far.")
    assert words_of(Notice(kind=Kind.INVOICE, facts=[INVOICE]), acme).link == "/invoices/CH-2026-0001/"


def test_mail_goes_to_those_who_want_it_and_may_know(acme: Customer, olga: User) -> None:
    a_member(acme, email="vera@acme.example", role="viewer")
    a_member(acme, email="bill@acme.example", role="billing", mail_about=[])

    notices.tell(acme, Kind.BUDGET, {"budget:1": BUDGET})
    notices.tell(acme, Kind.SILENT, silent("web-1"))
    tasks.send_waiting_mail()

    assert sorted((one.to[0], one.subject) for one in outbox.outbox) == [
        ("olga@acme.example", "The budget of €100.00 is crossed (Acme)"),
        ("olga@acme.example", "web-1 is silent (Acme)"),
        ("vera@acme.example", "web-1 is silent (Acme)"),
    ]


def test_the_list_shows_what_a_role_may_know_and_what_is_new(acme: Customer, olga: User) -> None:
    vera = a_member(acme, email="vera@acme.example", role="viewer")
    notices.tell(acme, Kind.BUDGET, {"budget:1": BUDGET})

    owner, viewer = signed_in(olga), signed_in(vera)
    first, second = owner.get("/notices/").content.decode(), owner.get("/notices/").content.decode()

    assert "The budget of €100.00 is crossed" in first
    assert ('class="unseen"' in first, 'class="unseen"' in second) == (True, False)
    assert "Nothing to tell yet" in viewer.get("/notices/").content.decode()


def test_the_pages_ask_what_is_unseen(acme: Customer, olga: User) -> None:
    client = signed_in(olga)
    for number in range(4):
        notices.tell(acme, Kind.INVOICE, {f"invoice:{number}": INVOICE})

    before = client.get("/notices/unseen.json").json()
    client.get("/notices/")
    after = client.get("/notices/unseen.json").json()

    assert (before["unseen"], len(before["notices"])) == (4, 3)
    assert before["notices"][0]["title"] == "Invoice CH-2026-0001 is final"
    assert after == {"unseen": 0, "notices": []}


def test_a_stranger_sees_nothing_of_it(acme: Customer, olga: User) -> None:
    stranger = signed_in(a_member(a_customer("bolt"), email="bo@bolt.example"))
    notices.tell(acme, Kind.INVOICE, {"invoice:1": INVOICE})

    assert stranger.get("/notices/unseen.json").json() == {"unseen": 0, "notices": []}
    assert stranger.get("/notices/?customer=acme").status_code == 404
    assert signed_in(olga).get("/notices/?customer=acme").status_code == 200


def test_keys_are_told_a_week_before_they_end_and_once(acme: Customer) -> None:
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    ApiKey.issue(acme, "nightly export", expires_at=at + timedelta(days=6))
    ApiKey.issue(acme, "later", expires_at=at + timedelta(days=8))
    ApiKey.issue(acme, "over", expires_at=at - timedelta(days=1))

    assert [notices.tell_of_expiring_keys(at), notices.tell_of_expiring_keys(at)] == [1, 0]
    assert [one["name"] for one in Notice.objects.get().facts] == ["nightly export"]


def test_a_person_chooses_what_comes_by_mail(acme: Customer, olga: User) -> None:
    client = signed_in(olga)

    client.post("/settings/person/", {"language": "de", "mail_about": ["budget_crossed"]})
    olga.refresh_from_db()
    assert (olga.language, olga.mail_about) == ("de", ["budget_crossed"])

    client.post("/settings/person/", {"language": "tlh", "mail_about": ["weather"]})
    olga.refresh_from_db()
    assert (olga.language, olga.mail_about) == ("de", ["budget_crossed"])


def test_payers_set_the_budget_and_viewers_do_not(acme: Customer, olga: User) -> None:
    vera = a_member(acme, email="vera@acme.example", role="viewer")

    refused = signed_in(vera).post("/settings/budget/", {"budget": "1"})
    signed_in(olga).post("/settings/budget/", {"budget": "120.50"})
    acme.refresh_from_db()

    assert (refused.status_code, acme.budget_minor) == (403, 12050)
    assert 'value="120.50"' in signed_in(olga).get("/settings/").content.decode()


def test_a_budget_has_no_more_decimals_than_the_currency(acme: Customer, olga: User) -> None:
    answer = signed_in(olga).post("/settings/budget/", {"budget": "1.005"}, follow=True)

    acme.refresh_from_db()
    assert "Give an amount with 2 decimals at most." in answer.content.decode()
    assert acme.budget_minor is None


def test_two_who_find_the_same_mail_once(acme: Customer, olga: User) -> None:
    for _ in range(2):
        notices.tell(acme, Kind.SILENT, silent("web-1"))

    assert Mail.objects.filter(kind="notice").count() == 1
