"""The calculator as an integrator meets it: the invoice's own rater, mistakes by name, and nothing that makes it slow."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.models import Customer
from invoices.fleet import FleetLoad
from invoices.models import InvoiceLine, Price, RatePlan
from invoices.plan_file import check, read
from invoices.publishing import new_draft, publish, save_draft, subscribe
from invoices.quote_api import ASKED
from tests.cast import a_customer, an_operator, signed_in, with_key
from tests.invoices.rows import LONG_AGO
from tests.invoices.test_api import PLAN

pytestmark = pytest.mark.django_db
OCTOBER = {"start": "2026-10-01", "end": "2026-11-01"}


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


@pytest.fixture
def acme() -> Customer:
    customer = a_customer("acme")
    publish(save_draft(read(PLAN))[0])
    subscribe(customer, RatePlan.objects.get(), LONG_AGO.replace(year=2025))
    return customer


def ask(client: Client, document: object, url: str = "/api/v1/quotes") -> Any:
    return client.post(url, json.dumps(document), content_type="application/json")


def test_prices_in_the_request_are_rated(acme: Customer) -> None:
    for url in ("/api/v1/quotes", "/api/v1/quotes/"):
        answer = ask(with_key(acme), ASKED.value, url)

        assert answer.status_code == 200, answer.content
        assert [answer.json()[key] for key in ("subtotal", "discount", "tax", "credit", "total")] == [
            "7.00",
            "0.70",
            "1.20",
            "0.00",
            "7.50",
        ]
    assert not InvoiceLine.objects.exists()


def test_a_plan_is_rated_in_its_own_currency_and_zone_of_the_request(acme: Customer) -> None:
    """9.00 base fee; one core-hour at 0.042 and two at 0.038."""
    document = {"plan": "cloud", "period": OCTOBER, "timezone": "Europe/Berlin", "usage": {"cpu": "3"}}

    answer = ask(with_key(acme), document).json()

    assert [line["amount"] for line in answer["lines"]] == ["9.00", "0.12"]
    assert (answer["currency"], answer["total"]) == ("EUR", "9.12")


def test_a_plan_that_follows_demand_is_rated_by_the_loads_that_were_recorded(acme: Customer) -> None:
    """As its invoice is: at 75 % of a target of 50 % half as much again, from 16 October 12:00 on; before it, as it is."""
    price = {
        "meter": "cpu",
        "model": "per_unit",
        "unit_price": "1",
        "demand": {"target": "0.50", "floor": "0.5", "cap": "2"},
    }
    row = {"code": "busy", "name": "Busy", "currency": "EUR", "effective_from": "2025-01-01T00:00:00Z", "prices": [price]}
    publish(save_draft(check(row))[0])
    subscribe(acme, RatePlan.objects.get(code="busy"), LONG_AGO.replace(year=2025))
    FleetLoad.objects.create(at=datetime(2026, 10, 16, 12, tzinfo=UTC), share_micro=750_000)

    answer = ask(with_key(acme), {"plan": "busy", "period": OCTOBER, "usage": {"cpu": "100"}}).json()

    assert answer["total"] == "125.00"


def test_a_plan_of_others_does_not_exist(acme: Customer) -> None:
    document = {"plan": "cloud", "period": OCTOBER}

    stranger, own = ask(with_key(a_customer("other")), document), ask(with_key(acme), document)

    assert stranger.status_code == 400
    assert stranger.json()["errors"] == {"plan": ["there is no published plan 'cloud' of yours."]}
    assert own.status_code == 200


def test_a_draft_is_for_staff(acme: Customer) -> None:
    draft = new_draft(RatePlan.objects.get())
    Price.objects.filter(version=draft, model="flat").update(price_nano=20 * 10**9)
    staff = signed_in(an_operator())
    document = {"draft": "cloud", "period": OCTOBER}

    assert ask(with_key(acme), document).status_code == 403
    assert ask(staff, document).json()["total"] == "20.00"


@pytest.mark.parametrize(
    ("wrong", "where", "said"),
    [
        ({"taxes": [{"rate": 0.19}]}, "taxes[0].rate", "binary fraction"),
        ({"usage": {"cpu": "-1"}}, "usage.cpu", "below zero"),
        ({"usage": {"disc": "1"}}, "usage.disc", "no price here"),
        ({"prices": [{"meter": "cpu", "model": "guess"}]}, "prices[0].model", "'guess' is none of per_unit"),
        ({"plan": "cloud"}, "prices", "give either prices"),
    ],
)
def test_a_mistake_is_a_problem_that_names_the_field(acme: Customer, wrong: dict[str, Any], where: str, said: str) -> None:
    answer = ask(with_key(acme), {**ASKED.value, **wrong})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert said in answer.json()["errors"][where][0]


@pytest.mark.parametrize("body", ["[]", "7", '"x"', "[" * 100_000, "{" * 10, "1" * 5000, '{"prices": null, "usage": 1e999}'])
def test_nonsense_is_refused(acme: Customer, body: str) -> None:
    answer = with_key(acme).post("/api/v1/quotes", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_too_much_is_refused_before_it_is_read(acme: Customer) -> None:
    answer = with_key(acme).post("/api/v1/quotes", " " * (2 * 1024 * 1024 + 1), content_type="application/json")

    assert answer.status_code == 413
    assert answer.json()["detail"] == "At most 1000000 bytes."


def hour(n: int) -> str:
    return f"2026-10-{n // 24 % 30 + 1:02}T{n % 24:02}:{n // 744 % 60:02}:00Z"


def test_the_largest_requests_that_are_taken_are_answered_soon(acme: Customer) -> None:
    """Awkward numbers, overlapping levels, many windows: what could be slow has a limit in work, not in luck."""
    windows = [
        {"days": [day], "from": f"{at:02}:07", "to": f"{at:02}:53", "unit_price": "0.123456789"}
        for day in (1, 2)
        for at in range(20)
    ]
    price = {
        "meter": "cpu",
        "model": "time_of_use",
        "unit_price": "0.987654321",
        "windows": windows,
        "included": "3.333333333333",
    }
    levels = [[f"{hour(n)}/{hour(n).replace('2026-10', '2026-11')}", f"{n}.123456789012"] for n in range(15_000)]
    document = {
        "currency": "EUR",
        "period": OCTOBER,
        "prices": [price, {**price, "meter": "memory", "aggregation": "p95"}],
        "usage": {"cpu": levels[:7_000], "memory": levels[:7_000]},
    }
    started = time.monotonic()

    answer = ask(with_key(acme), document)

    assert answer.status_code == 200, answer.content[:300]
    assert time.monotonic() - started < 60
