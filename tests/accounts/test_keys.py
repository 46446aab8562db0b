"""API keys: made by hand or in the admin, good for one customer, until revoked."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey
from tests.cast import a_customer, a_member, an_operator, signed_in, with_key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


def test_a_key_sees_its_customer_and_only_that() -> None:
    acme, bolt = a_customer("acme"), a_customer("bolt")

    seen = [
        [each["code"] for each in with_key(customer).get("/api/v1/customers/").json()["results"]] for customer in (acme, bolt)
    ]

    assert seen == [["acme"], ["bolt"]]


def test_a_revoked_key_is_refused_at_once() -> None:
    acme = a_customer()
    client = with_key(acme)
    before = client.get("/api/v1/customers/")
    ApiKey.objects.update(revoked_at=now())

    after = client.get("/api/v1/customers/")

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["detail"] == "This key is unknown or revoked."


@pytest.mark.parametrize("secret", ["ch_wrong", "", "ch_wrong more", "ch_\u00fc"])
def test_an_unknown_key_is_refused(secret: str) -> None:
    a_customer()

    answer = Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/customers/")

    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_the_use_of_a_key_is_noted_once_a_minute(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = with_key(a_customer())
    client.get("/api/v1/customers/")
    first = ApiKey.objects.get().last_used_at

    with django_assert_num_queries(2):
        client.get("/api/v1/customers/")
    soon = ApiKey.objects.get().last_used_at
    ApiKey.objects.update(last_used_at=now() - timedelta(minutes=2))
    client.get("/api/v1/customers/")
    later = ApiKey.objects.get().last_used_at

    assert first is not None
    assert soon == first
    assert later is not None
    assert later > first


def test_a_person_sees_the_customers_they_belong_to_and_staff_see_no_more() -> None:
    acme = a_customer("acme")
    a_customer("bolt")

    owner = signed_in(a_member(acme)).get("/api/v1/customers/").json()["results"]
    operator = signed_in(an_operator()).get("/api/v1/customers/").json()["results"]

    assert [customer["code"] for customer in owner] == ["acme"]
    assert operator == []


def test_someone_without_a_customer_is_told_so() -> None:
    answer = signed_in(an_operator()).get("/api/v1/machines/")

    assert (answer.status_code, answer.json()["detail"]) == (404, "You act for no customer yet.")


def test_the_command_prints_a_key_that_works_and_nothing_else() -> None:
    a_customer("acme")
    out = StringIO()

    call_command("create_api_key", "acme", "Terraform", stdout=out, stderr=StringIO())

    secret = out.getvalue().strip()
    answer = Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/customers/")
    assert (answer.status_code, ApiKey.objects.get().name) == (200, "Terraform")


def test_the_command_needs_a_customer_that_exists() -> None:
    with pytest.raises(CommandError, match="There is no customer 'nobody'"):
        call_command("create_api_key", "nobody", "Terraform")
