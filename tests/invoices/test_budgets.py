"""A budget that a month crosses is told once, by the number that the overview shows."""

from datetime import timedelta

from accounts.models import Customer, Notice
from invoices import budgets
from tests.invoices.rows import HOUR_MS, OCTOBER, used
from usage.models import Machine

AT = OCTOBER.start + timedelta(days=3)


def spend(customer: Customer, machine: Machine, budget_minor: int | None) -> None:
    """9.00 EUR of fee and 4.00 EUR of CPU."""
    Customer.objects.filter(pk=customer.pk).update(budget_minor=budget_minor)
    customer.subscriptions.update(start=OCTOBER.start)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)


def test_a_month_that_reaches_its_budget_is_told_once(customer: Customer, machine: Machine) -> None:
    spend(customer, machine, 1300)

    assert [budgets.tell(AT), budgets.tell(AT + timedelta(hours=1))] == [1, 0]
    assert Notice.objects.get().facts == [
        {"budget": "13.00", "spent": "13.00", "currency": "EUR", "month": "2026-09-30T22:00:00+00:00"}
    ]


def test_a_month_below_its_budget_is_not_told_and_none_is_no_budget(customer: Customer, machine: Machine) -> None:
    spend(customer, machine, 1301)
    assert budgets.tell(AT) == 0

    Customer.objects.update(budget_minor=None)
    assert budgets.tell(AT) == 0
