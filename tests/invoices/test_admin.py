"""The billing desk as an operator uses it: decimals in, decisions by POST, what is frozen read-only."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Customer, Mail
from invoices import billing
from invoices.models import Invoice, PlanVersion, RatePlan
from tests.cast import a_member, an_operator, signed_in
from tests.invoices.rows import CPU, OCTOBER, published, subscribed, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Client:
    return signed_in(an_operator())


@pytest.fixture
def draft(customer: Customer) -> Invoice:
    made = billing.draft(customer, OCTOBER)
    assert made is not None
    return made


def act(client: Client, model: str, pk: int, action: str, **data: str) -> list[str]:
    """Open a dialog's form, submit it, and return the last thing that the next page says."""
    address = f"/admin/invoices/{model}/{pk}/{action}/"
    assert client.get(address).status_code == 200
    answer = client.post(address, {**data, "_form_submitted": "1"}, follow=True)
    return [str(message) for message in answer.context["messages"]][-1:]


@pytest.mark.parametrize("model", ["rateplan", "planversion", "subscription", "invoice"])
def test_lists_open(desk: Client, draft: Invoice, model: str) -> None:
    assert desk.get(f"/admin/invoices/{model}/").status_code == 200


def test_a_draft_version_is_edited_in_decimals_and_published_once(desk: Client, plan: RatePlan) -> None:
    act(desk, "rateplan", plan.pk, "new-draft")
    draft = PlanVersion.objects.get(number=2)
    cpu = draft.prices.get(meter="cpu")
    page = desk.get(f"/admin/invoices/price/{cpu.pk}/change/")

    assert 'value="0.04"' in page.content.decode()
    data = {
        "position": cpu.position, "name": "CPU", "model": "per_unit", "meter": "cpu", "unit": "core-hour", "price_nano": "0.055",
        "package_micro": "1", "included_micro": "0", "proration": "day", "tiers-TOTAL_FORMS": "0", "tiers-INITIAL_FORMS": "0",
    }  # fmt: skip
    assert desk.post(f"/admin/invoices/price/{cpu.pk}/change/", data).status_code == 302
    cpu.refresh_from_db()
    assert cpu.price_nano == 55_000_000
    PlanVersion.objects.filter(pk=draft.pk).update(effective_from=utc(2027, 1, 1))
    assert act(desk, "planversion", draft.pk, "publish") == ["Plan, version 2 is published."]
    assert desk.post(f"/admin/invoices/price/{cpu.pk}/change/", data).status_code == 403
    assert act(desk, "planversion", draft.pk, "publish") == ["Plan, version 2 is published already."]


def test_a_draft_invoice_is_finalised_paid_and_its_document_downloaded(desk: Client, draft: Invoice) -> None:
    assert act(desk, "invoice", draft.pk, "finalise") == ["Finalised as CH-2026-0001."]
    paid = act(desk, "invoice", draft.pk, "record-payment", amount="9.00", reference="bank-1", received_on="2026-11-09")

    invoice = Invoice.objects.get()
    paper = desk.get(reverse("admin:invoices_invoice_document", args=[draft.pk, "pdf"]))
    assert paid == ["Payment bank-1 recorded."]
    assert (invoice.status, invoice.payments.get().recorded_by) == ("paid", "otto@corehour.example")
    assert (paper["Content-Type"], paper.content[:5]) == ("application/pdf", b"%PDF-")
    assert desk.get(f"/admin/invoices/invoice/{draft.pk}/change/").status_code == 200
    assert act(desk, "invoice", draft.pk, "declare-void", reason="Wrong") == [
        "CH-2026-0001 has payments; it cannot be declared void."
    ]


def test_an_invoice_is_mailed_again_and_what_could_not_be_sent_is_tried_again(desk: Client, draft: Invoice) -> None:
    a_member(draft.customer, email="owner@tideline.example")
    assert act(desk, "invoice", draft.pk, "mail-again") == [f"{draft} is a draft; only a final invoice is mailed."]
    act(desk, "invoice", draft.pk, "finalise")
    Mail.objects.update(state=Mail.State.FAILED, problem="OSError: no route")

    again = act(desk, "invoice", draft.pk, "mail-again")
    listed = desk.get("/admin/accounts/mail/").content.decode()
    desk.post("/admin/accounts/mail/", {"action": "try_again", "_selected_action": [Mail.objects.last().pk]})  # type: ignore[union-attr]

    assert again == ["On its way to owner@tideline.example."]
    assert "OSError: no route" in listed
    assert [mail.state for mail in Mail.objects.all()] == ["waiting", "waiting"]


def test_an_invoice_is_never_edited_or_deleted_by_hand(desk: Client, draft: Invoice) -> None:
    assert desk.post(f"/admin/invoices/invoice/{draft.pk}/change/", {"total_minor": "1"}).status_code == 403
    assert desk.post(f"/admin/invoices/invoice/{draft.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_subscription_that_cannot_be_priced_is_said_on_its_form(desk: Client, customer: Customer, plan: RatePlan) -> None:
    data = {"customer": customer.pk, "plan": plan.pk, "start_0": "2026-10-01", "start_1": "00:00:00", "end_0": "", "end_1": ""}

    page = desk.post("/admin/invoices/subscription/add/", data)

    assert "has a subscription to Plan in that time already" in page.content.decode()
    assert customer.subscriptions.count() == 1


def subscription(start: str, end: str = "", **others: str | int) -> dict[str, str | int]:
    """The subscription's form, its instants on whole hours in UTC: "2026-11-01 00"."""
    begins, ends = (f"{instant}:00:00".split() if instant else ["", ""] for instant in (start, end))
    return {"start_0": begins[0], "start_1": begins[1], "end_0": ends[0], "end_1": ends[1], **others}


def test_a_subscription_begins_and_moves_only_after_what_is_billed(
    desk: Client, customer: Customer, plan: RatePlan, draft: Invoice
) -> None:
    """October in Berlin ends on the 31st at 23:00 UTC."""
    billing.finalise(draft, utc(2026, 11, 2))
    other = published(CPU, code="other")
    billed = "CH-2026-0001 has billed Tideline Cartography up to 2026-10-31 23:00 UTC"
    page = f"/admin/invoices/subscription/{customer.subscriptions.get().pk}/change/"

    added = desk.post(
        "/admin/invoices/subscription/add/", subscription("2026-10-31 22", customer=customer.pk, plan=other.pk, side_by_side="on")
    )
    ended = desk.post(page, subscription("2020-01-01 00", "2026-10-31 22"))

    assert billed in added.content.decode()
    assert billed in ended.content.decode()
    assert desk.post(page, subscription("2020-01-01 00", "2026-10-31 23")).status_code == 302
    assert customer.subscriptions.get().end == utc(2026, 10, 31, 23)


def test_a_second_plan_beside_the_first_must_be_meant(desk: Client, customer: Customer) -> None:
    other = published(CPU, code="other")
    add = "/admin/invoices/subscription/add/"
    data = subscription("2026-10-01 00", customer=customer.pk, plan=other.pk)

    refused = desk.post(add, data)

    assert "Plan and Other would both bill the same usage" in refused.content.decode()
    assert customer.subscriptions.count() == 1
    assert desk.post(add, {**data, "side_by_side": "on"}).status_code == 302
    assert customer.subscriptions.count() == 2


def test_a_plan_after_another_and_an_end_of_one_of_two_need_no_tick(desk: Client, customer: Customer, plan: RatePlan) -> None:
    first, other = customer.subscriptions.get(), published(CPU, code="other")
    both = subscribed(customer, other, utc(2026, 10, 1))
    change = "/admin/invoices/subscription/{}/change/".format

    ended = desk.post(change(first.pk), subscription("2020-01-01 00", "2026-11-01 00"))
    both.delete()
    followed = desk.post("/admin/invoices/subscription/add/", subscription("2026-11-01 00", customer=customer.pk, plan=other.pk))
    reopened = desk.post(change(first.pk), subscription("2020-01-01 00"))

    assert (ended.status_code, followed.status_code) == (302, 302)
    assert "would both bill the same usage" in reopened.content.decode()


def test_who_is_no_operator_gets_no_document(draft: Invoice, customer: Customer) -> None:
    address = reverse("admin:invoices_invoice_document", args=[draft.pk, "pdf"])
    member = signed_in(a_member(customer))
    clerk = signed_in(a_member(email="clerk@corehour.example", is_staff=True))

    assert member.get(address).status_code in (302, 404)
    assert clerk.get(address).status_code == 404


def test_who_may_only_look_opens_a_subscription(customer: Customer) -> None:
    clerk = a_member(email="clerk@corehour.example", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_subscription"))

    page = signed_in(clerk).get(f"/admin/invoices/subscription/{customer.subscriptions.get().pk}/change/")

    assert page.status_code == 200
