"""Staff see the portal as a customer does: bannered, logged, for an hour, and without changing anything."""

import pytest
import time_machine
from django.test import Client

from accounts.models import AuditEntry, Customer, User
from tests.cast import PASSWORD, a_customer, a_machine, a_member, an_operator, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Customer:
    made = a_customer("acme", name="Acme GmbH")
    a_machine(made, "web-1")
    return made


def view_as(client: Client, customer: Customer) -> int:
    """Open the dialog, decide, and return what it answered."""
    address = f"/admin/accounts/customer/{customer.pk}/view-as/"
    client.get(address)
    return client.post(address, {"_form_submitted": "1"}).status_code


def test_an_operator_sees_the_customers_pages_under_a_banner_and_both_ends_are_logged(acme: Customer) -> None:
    operator = signed_in(an_operator())

    began = view_as(operator, acme)
    page = operator.get("/machines/")
    stopped = operator.post("/viewing/end/")

    assert (began, page.status_code, stopped.status_code) == (302, 200, 302)
    assert "You view Acme GmbH as its people see it." in page.content.decode()
    assert "web-1" in page.content.decode()
    logged = AuditEntry.objects.filter(action__startswith="viewing").order_by("pk")
    assert [(entry.action, entry.customer_pk) for entry in logged] == [("viewing.began", acme.pk), ("viewing.ended", acme.pk)]
    assert operator.get("/machines/").status_code == 404


def test_nothing_can_be_changed_meanwhile_even_by_an_owner(acme: Customer) -> None:
    staff = an_operator()
    acme.memberships.create(user=staff, role="owner")
    operator = signed_in(staff)
    view_as(operator, acme)

    refused = operator.post("/machines/new/", {"code": "web-2"})
    page = operator.get("/machines/")
    operator.post("/viewing/end/")

    assert refused.status_code == 403
    assert "/machines/new/" not in page.content.decode()
    assert operator.post("/machines/new/", {"code": "web-2", "name": ""}).status_code == 200
    assert list(acme.machines.values_list("code", flat=True)) == ["web-1", "web-2"]


def test_only_the_one_customer_is_seen(acme: Customer) -> None:
    bolt = a_customer("bolt", name="Bolt")
    a_machine(bolt, "bolt-1")
    operator = signed_in(an_operator())
    view_as(operator, acme)

    assert operator.get("/machines/bolt-1/").status_code == 404
    assert operator.get("/machines/?customer=bolt").status_code == 404
    assert operator.get("/machines/web-1/").status_code == 200


def test_support_may_and_a_member_may_not(acme: Customer) -> None:
    support = User.objects.create_user("sue@corehour.example", PASSWORD, is_staff=True, staff_role="support")
    bolts = a_member(a_customer("bolt"), email="stranger@bolt.example")

    assert view_as(signed_in(support), acme) == 302
    assert view_as(signed_in(bolts), acme) == 302  # To the door: the administration is not theirs.
    assert AuditEntry.objects.filter(action="viewing.began").count() == 1


def test_it_is_over_after_an_hour(acme: Customer) -> None:
    with time_machine.travel(1_796_052_600, tick=False) as clock:
        operator = signed_in(an_operator())
        view_as(operator, acme)
        clock.shift(3_540)
        still = operator.get("/machines/").status_code
        clock.shift(60)
        after = operator.get("/machines/").status_code

    assert (still, after) == (200, 404)
