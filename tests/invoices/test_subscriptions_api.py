"""Subscriptions by the operator's programs: begun once, changed at an instant, ended; never in time that is billed."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import Customer
from invoices import billing
from invoices.models import RatePlan, Subscription
from tests.cast import a_customer, a_member, an_operator, signed_in, with_key
from tests.invoices.rows import CPU, FEE, OCTOBER, published, utc

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/subscriptions/"
DECEMBER_10 = "2026-12-10T00:00:00Z"


@pytest.fixture
def desk() -> Client:
    return signed_in(an_operator())


@pytest.fixture
def pro(db: None) -> RatePlan:
    return published(FEE, CPU, code="pro")


def post(client: Client, **body: Any) -> tuple[int, Any]:
    answer = client.post(
        ADDRESS, json.dumps({"customer": "bolt", "plan": "pro", "start": DECEMBER_10} | body), "application/json"
    )
    return answer.status_code, answer.json()


def patch(client: Client, pk: int, end: str) -> tuple[int, Any]:
    answer = client.patch(f"{ADDRESS}{pk}/", json.dumps({"end": end}), "application/json")
    return answer.status_code, answer.json()


def test_a_subscription_is_begun_once_and_ended(desk: Client, pro: RatePlan) -> None:
    a_customer("bolt")

    first, again = post(desk), post(desk)
    pk = first[1]["id"]
    ended = patch(desk, pk, "2027-01-10T00:00:00Z")
    listed = desk.get(f"{ADDRESS}?customer=bolt").json()

    row = {"id": pk, "customer": "bolt", "plan": "pro", "start": DECEMBER_10, "end": None}
    assert (first, again) == ((201, row), (200, row))
    assert ended == (200, row | {"end": "2027-01-10T00:00:00Z"})
    assert listed["results"] == [row | {"end": "2027-01-10T00:00:00Z"}]


def test_a_plan_takes_over_from_another_at_an_instant(desk: Client, customer: Customer, pro: RatePlan) -> None:
    refused = post(desk, customer="tideline")
    changed = post(desk, customer="tideline", replaces="plan")
    beside = post(desk, customer="tideline", plan="plan", side_by_side=True, start="2026-12-20T00:00:00Z")

    assert refused[0] == 400
    assert "say `replaces` or `side_by_side`" in refused[1]["errors"]["subscription"][0]
    assert (changed[0], beside[0]) == (201, 201)
    assert list(Subscription.objects.order_by("start").values_list("plan__code", "end")) == [
        ("plan", utc(2026, 12, 10)), ("pro", None), ("plan", None),
    ]  # fmt: skip


def test_time_that_is_billed_stays_as_it_was(desk: Client, customer: Customer, pro: RatePlan) -> None:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    billing.finalise(draft, utc(2026, 11, 2))

    replaced = post(desk, customer="tideline", replaces="plan", start="2026-10-10T00:00:00Z")
    ended = patch(desk, Subscription.objects.get().pk, "2026-10-10T00:00:00Z")

    assert (replaced[0], ended[0]) == (400, 400)
    assert "has billed" in replaced[1]["errors"]["subscription"][0]
    assert "has billed" in ended[1]["errors"]["end"][0]
    assert Subscription.objects.get().end is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer": "nobody"}, "customer"),
        ({"plan": "none"}, "plan"),
        ({"start": "2026-12-10"}, "start"),
        ({"start": "2026-12-10T00:07:00Z"}, "subscription"),
        ({"replaces": "plan"}, "subscription"),
    ],
)
def test_what_is_wrong_is_named(desk: Client, customer: Customer, pro: RatePlan, changes: dict[str, str], field: str) -> None:
    a_customer("bolt")

    status, answer = post(desk, **changes)

    assert (status, list(answer["errors"])) == (400, [field])
    assert Subscription.objects.count() == 1


def test_nobody_else_learns_of_the_door(customer: Customer, pro: RatePlan) -> None:
    for client in (signed_in(a_member(customer)), with_key(customer)):
        assert client.get(ADDRESS).status_code == 404
        assert post(client)[0] == 404
        assert patch(client, 1, DECEMBER_10)[0] == 404
