"""Numbers under concurrency: many finalise at once, some give up, and the numbers have neither gap nor double."""

import os
import random
import threading
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from accounts.models import Customer
from invoices import billing
from invoices.issued import Invoice
from invoices.models import RatePlan
from tests.cast import a_customer
from tests.invoices.rows import OCTOBER, subscribed, utc

# At full size: FINALISERS=50 FINALISED=1000.
FINALISERS = int(os.environ.get("FINALISERS", "8"))
INVOICES = int(os.environ.get("FINALISED", "40"))
ABORTS = 10  # One in so many gives up after it has its number.

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer"),
]


class GivenUp(Exception):
    """Rolls a finalising back when it has taken its number already."""


class Finalisers:
    """Threads that share a pile of drafts; each one aborted goes back on the pile."""

    def __init__(self, drafts: list[Invoice]) -> None:
        self.pile, self.lock = drafts, threading.Lock()
        self.aborted = 0
        self.errors: list[Exception] = []

    def take(self) -> Invoice | None:
        with self.lock:
            return self.pile.pop() if self.pile else None

    def work(self, seed: int) -> None:
        chance = random.Random(seed)
        try:
            while (draft := self.take()) is not None:
                self._finalise(draft, give_up=chance.randrange(ABORTS) == 0)
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()

    def _finalise(self, draft: Invoice, *, give_up: bool) -> None:
        try:
            with transaction.atomic():
                billing.finalise(draft, utc(2026, 11, 3))
                if give_up:
                    raise GivenUp
        except GivenUp:
            with self.lock:
                self.aborted += 1
                self.pile.append(draft)


def drafts_of(customers: list[Customer]) -> Iterator[Invoice]:
    for customer in customers:
        draft = billing.draft(customer, OCTOBER)
        assert draft is not None
        yield draft


def test_many_finalisers_and_aborts_leave_no_gap_and_no_double(plan: RatePlan) -> None:
    customers = [a_customer(f"c-{number}") for number in range(INVOICES)]
    for customer in customers:
        subscribed(customer, plan, OCTOBER.start)
    finalisers = Finalisers(list(drafts_of(customers)))
    threads = [threading.Thread(target=finalisers.work, args=[seed]) for seed in range(FINALISERS)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    numbers = list(Invoice.objects.order_by("number").values_list("number", flat=True))
    assert finalisers.errors == []
    assert finalisers.aborted > 0
    assert numbers == [f"CH-2026-{number:04d}" for number in range(1, INVOICES + 1)]
