"""An invoice is proven from what was metered, and whatever differs is named."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Customer
from invoices import billing, guards
from invoices.books import Discount, OneOffItem
from invoices.issued import Invoice
from invoices.refusals import BillingError
from tests.invoices.books import final
from tests.invoices.rows import CPU, DECEMBER, HOUR_MS, LONG_AGO, NOVEMBER, OCTOBER, published, subscribed, used, utc
from usage.models import Machine, UsageBucket
from usage.periods import BUCKET_MS, month

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(customer: Customer, machine: Machine) -> Invoice:
    """9.00, 100 core-hours for 4.00, an item of 1.00, less 10 %."""
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    OneOffItem.objects.create(customer=customer, name="Migration", amount_minor=100, at=utc(2026, 10, 20))
    Discount.objects.create(customer=customer, name="Friends", share_micro=100_000, start=LONG_AGO)
    return final(customer)


def verified(number: str = "CH-2026-0001") -> list[str]:
    out = io.StringIO()
    call_command("verify_invoice", number, stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def unsampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests write quarter hours and no samples."""
    monkeypatch.setattr("invoices.verify.differences", lambda *_: [])


@pytest.mark.usefixtures("unsampled")
def test_an_invoice_is_equal_to_what_was_metered(invoice: Invoice) -> None:
    said = verified()

    assert said[0] == f"equal  seal: {invoice.content_hash}"
    assert said[1:4] == [
        "equal  sums: 12.60 to be paid",
        "equal  line 1 Base fee: 9.00 for 0",
        "equal  line 2 CPU: 4.00 for 360000000 core-ms",
    ]
    assert said[-1] == "CH-2026-0001 is equal."


@pytest.mark.usefixtures("unsampled")
def test_a_quarter_hour_that_was_tampered_with_is_named_by_its_line(invoice: Invoice) -> None:
    UsageBucket.objects.update(cpu_ms=50 * HOUR_MS)

    out = io.StringIO()
    with pytest.raises(CommandError, match="1 of its parts differ"):
        call_command("verify_invoice", "CH-2026-0001", stdout=out)

    assert (
        "DIFFERS  line 2 CPU: printed 4.00 for 360000000 core-ms, the quarter hours say 2.00 for 180000000 core-ms"
        in out.getvalue()
    )


@pytest.mark.usefixtures("unsampled")
def test_late_usage_differs_until_a_later_invoice_has_billed_it(customer: Customer, machine: Machine, invoice: Invoice) -> None:
    used(machine, OCTOBER.start, cpu_ms=25 * HOUR_MS)
    with pytest.raises(CommandError):
        verified()

    final(customer, NOVEMBER)

    assert (
        "equal  line 2 CPU: 4.00 for 360000000 core-ms and corrections up to 5.00 for 450000000 core-ms:"
        " CH-2026-0001, CH-2026-0002" in verified()
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unsampled")
def test_a_row_changed_behind_the_guards_breaks_the_seal(invoice: Invoice) -> None:
    with connection.schema_editor() as editor:
        guards.drop(None, editor)
    Invoice.objects.update(customer_name="Somebody else")
    with connection.schema_editor() as editor:
        guards.install(None, editor)

    with pytest.raises(CommandError, match="1 of its parts differ"):
        verified()


def test_quarter_hours_without_samples_are_said(invoice: Invoice) -> None:
    with pytest.raises(CommandError, match="1 of its parts differ"):
        verified()


def test_an_unknown_number_is_an_error(db: None) -> None:
    with pytest.raises(CommandError, match="There is no final invoice 'CH-1'"):
        verified("CH-1")


def test_more_time_than_there_is_holds_an_invoice_until_a_person_lets_it_pass(customer: Customer, machine: Machine) -> None:
    customer.subscriptions.update(start=OCTOBER.start)
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)
    UsageBucket.objects.update(covered_ms=OCTOBER.length_ms + BUCKET_MS)

    (held,) = billing.close(customer, utc(2026, 11, 3))

    assert (held.status, [breach["bound"] for breach in held.held]) == ("held", ["time"])
    assert held.held[0]["text"] == "web-1 was metered for 745.25 hours in 745.00."
    with pytest.raises(BillingError, match="Held for review: web-1 was metered"):
        billing.finalise(held, utc(2026, 11, 3))
    with pytest.raises(BillingError, match="Say why"):
        billing.release(held, " ")
    billing.release(held, "A clock was wrong", by="otto@corehour.example")
    final_one = billing.finalise(held, utc(2026, 11, 3))
    assert (final_one.state, final_one.release_reason, final_one.released_by) == (
        "finalised", "A clock was wrong", "otto@corehour.example",
    )  # fmt: skip
    with pytest.raises(BillingError, match="is not held"):
        billing.release(final_one, "Again")


def test_a_machine_charged_by_two_plans_for_the_same_time_is_held(customer: Customer, machine: Machine) -> None:
    subscribed(customer, published(CPU, code="other"))
    used(machine, OCTOBER.start, cpu_ms=HOUR_MS)

    draft = billing.draft(customer, OCTOBER)

    assert draft is not None
    assert [breach["bound"] for breach in draft.held] == ["twice"]


@pytest.mark.parametrize(("hours", "status"), [(2250, "held"), (2000, "draft")])
def test_ten_times_the_usual_amount_is_held(customer: Customer, machine: Machine, hours: int, status: str) -> None:
    """The months before came to 9.00 each; 9.00 and 2,250 hours are 99.00."""
    for number in (7, 8, 9):
        final(customer, month(2026, number, customer.zone))
    used(machine, OCTOBER.start, cpu_ms=hours * HOUR_MS)

    draft = billing.draft(customer, OCTOBER)

    assert draft is not None
    assert draft.status == status


def test_the_order_of_finalising_changes_no_sum(customer: Customer, machine: Machine) -> None:
    """December first, then October, then November; what comes late is corrected by the next one made."""
    for period in (OCTOBER, NOVEMBER, DECEMBER):
        used(machine, period.start, cpu_ms=100 * HOUR_MS)

    made = [final(customer, period) for period in (DECEMBER, OCTOBER, NOVEMBER)]
    used(machine, OCTOBER.start, cpu_ms=25 * HOUR_MS)
    january = final(customer, month(2027, 1, customer.zone))

    assert [one.total_minor for one in made] == [1300, 1300, 1300]
    assert january.total_minor == 900 + 100
