"""Spot prices by the admin's page and by the operator's programs: recorded once, in order, and never changed."""

import json
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.models import AuditEntry
from invoices import billing, spot
from invoices.issued import Invoice
from invoices.models import SpotPrice
from tests.cast import a_customer, a_machine, a_member, an_operator, signed_in, with_key
from tests.invoices.rows import HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used, utc

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/spot-prices/"
DESK = "/admin/invoices/spotprice/"
ROW = {"market": "eu-west", "at": "2026-10-05T06:40:00Z", "price": "0.0171"}


@pytest.fixture
def client() -> Client:
    return signed_in(an_operator())


def post(client: Client, **body: Any) -> tuple[int, Any]:
    answer = client.post(ADDRESS, json.dumps(ROW | body), "application/json")
    return answer.status_code, answer.json()


def test_a_program_records_a_price_once_and_reads_what_was(client: Client) -> None:
    first, again, other = post(client), post(client), post(client, price="0.02")
    post(client, at="2026-10-05T06:45:00Z", price="0.03")
    post(client, market="us-east")

    listed = client.get(f"{ADDRESS}?market=eu-west&limit=1").json()

    assert (first[0], again[0], other[0]) == (201, 200, 400)
    assert first[1] == again[1]
    assert {name: first[1][name] for name in ROW} == ROW
    assert "the next price of eu-west must begin later" in json.dumps(other[1])
    assert [(row["at"], row["price"]) for row in listed["results"]] == [("2026-10-05T06:45:00Z", "0.03")]
    assert client.get(listed["next"]).json()["results"][0]["price"] == "0.0171"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"market": "EU west"}, "market"),
        ({"at": "2026-10-05T06:40:00"}, "at"),
        ({"at": "2026-10-05T06:40:00.0001Z"}, "at"),
        ({"price": "-1"}, "price"),
        ({"price": "0.01234567891"}, "price"),
    ],
)
def test_what_cannot_be_recorded_names_the_field(client: Client, body: dict[str, str], field: str) -> None:
    status, answer = post(client, **body)

    assert status == 400
    assert field in json.dumps(answer)
    assert not SpotPrice.objects.exists()


def test_there_is_no_such_door_for_others(client: Client) -> None:
    acme = a_customer("acme")
    owner, program = signed_in(a_member(acme)), with_key(acme)

    assert [post(one)[0] for one in (owner, program, Client())] == [404, 404, 404]
    assert post(client)[0] == 201


def test_the_desk_takes_the_next_price_and_edits_none(client: Client) -> None:
    given = {"market": "eu-west", "at_0": "2026-10-05", "at_1": "06:40:00", "price_nano": "0.0171"}

    recorded = client.post(f"{DESK}add/", given)
    refused = client.post(f"{DESK}add/", given | {"at_0": "2026-10-04"})
    (price,) = SpotPrice.objects.all()
    pages = [client.get(f"{DESK}{price.pk}/{page}/").status_code for page in ("change", "delete")]

    assert recorded.status_code == 302
    assert (price.market, price.at, price.price_nano) == ("eu-west", utc(2026, 10, 5, 6, 40), 17_100_000)
    assert "the next price of eu-west must begin later" in refused.content.decode()
    assert pages == [200, 403]
    assert client.post(f"{DESK}{price.pk}/change/", given | {"price_nano": "9"}).status_code == 403
    assert "0.0171" in client.get(DESK).content.decode()
    assert AuditEntry.objects.filter(action="spot-price.recorded").count() == 1


@pytest.mark.parametrize("statement", ["UPDATE invoices_spotprice SET price_nano = 1", "DELETE FROM invoices_spotprice"])
def test_no_statement_changes_what_was_recorded(statement: str) -> None:
    spot.record("eu-west", utc(2026, 10, 5), 17_100_000)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert SpotPrice.objects.get().price_nano == 17_100_000


def test_a_price_that_comes_late_changes_neither_a_final_invoice_nor_its_corrections(client: Client) -> None:
    """20 core-hours at 0.04 are final; late usage of October, 10 more, is corrected at 0.04, too."""
    customer = a_customer()
    subscribed(customer, published({"name": "CPU", "model": "spot_series", "meter": "cpu", "market": "eu-west"}))
    machine = a_machine(customer)
    spot.record("eu-west", utc(2026, 10, 1), 40_000_000)
    used(machine, utc(2026, 10, 7), cpu_ms=20 * HOUR_MS)
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    final = billing.finalise(draft, utc(2026, 11, 2))

    late, next_month = post(client, at="2026-10-06T00:00:00Z", price="9"), post(client, at="2026-11-01T00:00:00Z", price="9")
    used(machine, utc(2026, 10, 8), cpu_ms=10 * HOUR_MS)
    corrected = billing.draft(customer, NOVEMBER)

    assert (late[0], next_month[0]) == (400, 201)
    assert "is billed up to 2026-10-31 23:00 UTC" in json.dumps(late[1])
    assert Invoice.objects.get(pk=final.pk).total_minor == 80
    assert corrected is not None
    assert corrected.total_minor == 40
