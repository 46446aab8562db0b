"""SIGKILL at every SQL statement of an invoice run, then the run again: complete, nothing twice, no number missing."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import Customer
from invoices import billing, ledger
from invoices.issued import Invoice, InvoiceCounter
from tests.invoices.books import sums
from tests.invoices.rows import HOUR_MS, OCTOBER, used
from usage.models import Machine

pytestmark = pytest.mark.django_db(transaction=True)
AT = OCTOBER.end + timedelta(days=2)


class KillAt:
    """Ends this process, as a power cut would, before its n-th statement: after all that the ones before it did."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(*arguments)


def run_killed(customer: Customer, number: int) -> bool:
    """Close the customer's months in a child of this process that dies at a statement. Return whether it lived."""
    connection.close()
    child = os.fork()
    if child == 0:
        with connection.execute_wrapper(KillAt(number)):
            billing.close(customer, AT)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0
    return True


def test_a_run_that_is_killed_at_any_statement_is_completed_by_the_next(customer: Customer, machine: Machine) -> None:
    customer.subscriptions.update(start=OCTOBER.start)
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    ledger.top_up(customer, 300, "prepaid-1")
    statement = 1

    while not run_killed(customer, statement):
        final = Invoice.objects.filter(state="finalised").count()
        counted = InvoiceCounter.objects.filter(series="CH-2026").values_list("next_number", flat=True).first() or 1
        assert counted == final + 1, f"statement {statement}: {final} invoices, the next number is {counted}"
        statement += 1

    assert statement > 40
    assert [(one.number, one.total_minor, one.lines.count()) for one in Invoice.objects.all()] == [("CH-2026-0001", 1000, 2)]
    assert sums(customer) == {"receivable": 1000, "revenue": -1300, "cash": 300}
    assert billing.close(customer, AT) == []
