"""Two sessions at once on PostgreSQL: the second waits for the first, and then sees what it did. SQLite has one writer."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Customer
from invoices import billing, guards, publishing
from invoices.models import Invoice, InvoiceLine, PlanVersion, Price, RatePlan, Tier
from invoices.publishing import PlanError
from tests.invoices.rows import OCTOBER, utc

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer"),
]
WITHIN_S = 10.0


class Other:
    """A second session that does one thing, and what came of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self.error = error
        finally:
            connection.close()

    def await_lock(self, waiting: int = 1) -> None:
        """Return once so many sessions wait for a lock that this one holds, or it is done."""
        deadline = time.monotonic() + WITHIN_S
        while self._thread.is_alive() and _waiting() < waiting:
            assert time.monotonic() < deadline
            self._thread.join(0.01)

    def outcome(self) -> Exception | None:
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        return self.error


def _waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def october(customer: Customer) -> Invoice:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    return draft


def test_a_line_cannot_slip_into_an_invoice_that_is_being_finalised(customer: Customer) -> None:
    draft = october(customer)
    line = draft.lines.all()[0]

    with transaction.atomic():
        final = billing.finalise(draft, OCTOBER.end + timedelta(days=1))
        line.pk, line.position, line.charge_key = None, 99, "late"
        other = Other(line.save)
        other.await_lock()

    assert isinstance(other.outcome(), IntegrityError)
    assert guards.INVOICE_FROZEN in str(other.error)
    assert final.lines.count() == 1


def test_a_line_cannot_be_taken_from_an_invoice_that_is_being_finalised(customer: Customer) -> None:
    draft = october(customer)
    final = "state = 'finalised', number = 'X-1', finalised_at = '2026-11-02', issued_on = '2026-11-02', due_on = '2026-11-16'"

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE invoices_invoice SET {final}")  # noqa: S608
        other = Other(lambda: InvoiceLine.objects.filter(invoice=draft).delete())
        other.await_lock()

    assert guards.INVOICE_FROZEN in str(other.outcome())
    assert draft.lines.count() == 1


def test_no_price_or_tier_slips_into_a_version_that_is_being_published(plan: RatePlan) -> None:
    version = publishing.new_draft(plan)
    tiered = version.prices.get(model="graduated")

    with transaction.atomic():
        publishing.publish(version, utc(2027, 1, 1))
        price = Other(lambda: Price.objects.create(version=version, position=9, name="Late", model="flat"))
        price.await_lock()
        tier = Other(lambda: Tier.objects.create(price=tiered, up_to_micro=7))
        tier.await_lock(waiting=2)

    assert guards.VERSION_FROZEN in str(price.outcome())
    assert guards.VERSION_FROZEN in str(tier.outcome())
    assert (version.prices.count(), tiered.tiers.count()) == (3, 2)


def test_no_price_is_published_into_a_month_that_is_being_finalised(customer: Customer, plan: RatePlan) -> None:
    draft, version = october(customer), publishing.new_draft(plan)

    with transaction.atomic():
        billing.finalise(draft, OCTOBER.end + timedelta(days=1))
        other = Other(lambda: publishing.publish(version, utc(2026, 10, 15)))
        other.await_lock()

    assert isinstance(other.outcome(), PlanError)
    assert PlanVersion.objects.get(pk=version.pk).state == "draft"
