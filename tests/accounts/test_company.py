"""A customer's own people change what invoices are addressed to, and nothing that decides tax or periods."""

import json

import pytest

from accounts.models import AuditEntry, Customer
from tests.cast import a_customer, a_member, signed_in

pytestmark = pytest.mark.django_db
GIVEN = {
    "name": "Acme AG",
    "address": "Kai 3\n20457 Hamburg",
    "tax_id": "DE1",
    "invoice_email": "pay@acme.example",
    "buyer_reference": "04011000-1234512345-06",
    "locale": "de-DE",
}


@pytest.fixture
def acme() -> Customer:
    return a_customer("acme", country="DE")


@pytest.mark.parametrize("role", ["owner", "billing"])
def test_owners_and_billing_change_the_address_and_it_is_in_the_audit_trail(acme: Customer, role: str) -> None:
    client = signed_in(a_member(acme, role=role))

    answer = client.post("/settings/company/", {**GIVEN, "country": "CH", "currency": "USD"}, follow=True)

    acme.refresh_from_db()
    assert "Saved." in answer.content.decode()
    assert (acme.name, acme.address.replace("\r", ""), acme.country, acme.currency) == ("Acme AG", GIVEN["address"], "DE", "EUR")
    assert acme.buyer_reference == "04011000-1234512345-06"
    entry = AuditEntry.objects.get(action="customer.changed")
    assert (json.loads(entry.before)["name"], json.loads(entry.after)["name"]) == ("Acme", "Acme AG")


def test_a_viewer_reads_it_and_may_not_change_it(acme: Customer) -> None:
    client = signed_in(a_member(acme, role="viewer"))

    refused = client.post("/settings/company/", GIVEN)
    page = client.get("/settings/").content.decode()

    acme.refresh_from_db()
    assert refused.status_code == 403
    assert acme.name == "Acme"
    assert "As the next invoice is addressed" in page
    assert 'action="/settings/company/"' not in page


def test_a_locale_that_nobody_knows_is_refused_with_its_reason(acme: Customer) -> None:
    client = signed_in(a_member(acme))

    answer = client.post("/settings/company/", GIVEN | {"locale": "xx-XX"}, follow=True)

    acme.refresh_from_db()
    assert "Locale:" in answer.content.decode()
    assert acme.name == "Acme"
