"""Whenever samples come and in whatever order, and whenever months are closed, all invoices together bill the same."""

import random
from collections.abc import Sequence

import pytest
from django.db import transaction

from accounts.models import Customer
from invoices import billing
from invoices.issued import Invoice, InvoiceLine
from tests.cast import a_customer, a_machine
from tests.invoices.rows import BERLIN, CPU, DECEMBER, FEE, HOUR_MS, NOVEMBER, OCTOBER, published, subscribed, used
from usage.models import Machine
from usage.periods import BUCKET_MS, Period, from_ms, month

pytestmark = pytest.mark.django_db
JANUARY = month(2027, 1, BERLIN)
MONTHS = (OCTOBER, NOVEMBER, DECEMBER)
VOLUME = {
    "name": "Out", "model": "volume", "meter": "network_out",
    "tiers": [{"up_to": "40", "unit_price": "0.05"}, {"unit_price": "0.03"}],
}  # fmt: skip
GRADUATED = {
    "name": "Memory", "model": "graduated", "meter": "memory",
    "tiers": [{"up_to": "30", "unit_price": "0.011"}, {"up_to": "60", "unit_price": "0.007", "flat": "1"}, {"unit_price": "0"}],
}  # fmt: skip
PACKAGE = {"name": "In", "model": "package", "meter": "network_in", "package_size": "7", "package_price": "0.33"}

Sample = tuple[int, int, dict[str, int]]
"""The machine's place, the quarter hour, and what it used."""


def samples(chance: random.Random) -> list[Sample]:
    """Three dozen pieces of usage over three months, the amounts odd enough to need rounding."""
    return [
        (
            chance.randrange(2),
            chance.randrange(OCTOBER.start_ms, DECEMBER.end_ms) // BUCKET_MS * BUCKET_MS,
            {
                "cpu_ms": chance.randrange(20 * HOUR_MS),
                "memory_mib_ms": chance.randrange(5 * 1024 * HOUR_MS),
                "net_tx": chance.randrange(6 * 10**9),
                "net_rx": chance.randrange(6 * 10**9),
            },
        )
        for _ in range(36)
    ]


def billed(customer: Customer, machines: Sequence[Machine], batches: Sequence[Sequence[Sample]]) -> tuple[int, dict[str, int]]:
    """Store a batch, close a month, and so on; then one month more. Return all totals, and what each charge came to."""
    for batch, period in zip(batches, (*MONTHS, JANUARY), strict=True):
        for place, start_ms, amounts in batch:
            used(machines[place], from_ms(start_ms), **amounts)
        _finalise(customer, period)
    by_charge: dict[str, int] = {}
    for key, amount in InvoiceLine.objects.filter(invoice__customer=customer).values_list("charge_key", "amount_minor"):
        by_charge[key] = by_charge.get(key, 0) + amount
    invoices = Invoice.objects.final().filter(customer=customer)
    return sum(invoice.gross_minor for invoice in invoices), {key: amount for key, amount in by_charge.items() if amount}


def _finalise(customer: Customer, period: Period) -> None:
    draft = billing.draft(customer, period)
    assert draft is not None
    if draft.waits:
        billing.release(draft, "The test asks for sums alone")
    billing.finalise(draft, period.end)


def in_time(found: Sequence[Sample]) -> list[list[Sample]]:
    return [[one for one in found if period.start_ms <= one[1] < period.end_ms] for period in (*MONTHS, JANUARY)]


def late(found: Sequence[Sample], chance: random.Random) -> list[list[Sample]]:
    """Shuffle them, and let each come in its month or with any of the later ones."""
    batches: list[list[Sample]] = [[], [], [], []]
    for one in chance.sample(found, len(found)):
        own = next(place for place, period in enumerate(MONTHS) if one[1] < period.end_ms)
        batches[chance.randrange(own, 4)].append(one)
    return batches


@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_delay_over_three_months_bills_the_same_sum(db: None, seed: int) -> None:
    chance = random.Random(seed)
    customer = a_customer()
    subscribed(customer, published(FEE, CPU, VOLUME, GRADUATED, PACKAGE))
    machines = [a_machine(customer, code) for code in ("web-1", "web-2")]
    found = samples(chance)
    outcomes = []

    for batches in (in_time(found), late(found, chance), late(found, chance), [[], [], [], found]):
        with transaction.atomic():
            outcomes.append(billed(customer, machines, batches))
            transaction.set_rollback(True)

    assert outcomes[0][0] > 4 * 900
    assert outcomes[1:] == outcomes[:1] * 3
