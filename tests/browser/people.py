"""What browser tests look at: a customer with a plan, machines that report, and a month that was billed."""

import asyncio
import threading
import time
import uuid
from datetime import timedelta
from typing import Any

from channels.layers import get_channel_layer
from django.db.models import F
from django.utils.timezone import now

from accounts.models import Customer, User
from invoices import billing
from invoices.models import Invoice
from tests.cast import a_bucket, a_customer, a_machine, a_member
from tests.invoices.rows import FEE, published, subscribed
from usage.live import customer_group
from usage.models import Machine, UsageBucket, UsageSample
from usage.periods import BUCKET_MS, Period, bucket_start, month_of

GRADUATED = {
    "name": "CPU",
    "model": "graduated",
    "meter": "cpu",
    "unit": "core-hour",
    "tiers": [{"up_to": "10", "unit_price": "0.42"}, {"unit_price": "0.38"}],
}
MEMORY = {"name": "Memory", "model": "per_unit", "meter": "memory", "unit_price": "0.0048"}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def acme_with_a_month() -> tuple[Customer, User, Invoice]:
    """Acme, billed for last month, with three machines: one that reports, one that is late, one that is silent."""
    acme = a_customer(name="Acme Maps", address="Speicherweg 14\n20457 Hamburg")
    olga = a_member(acme)
    subscribed(acme, published(FEE, GRADUATED, MEMORY))
    web = a_machine(acme, "web-1", cores=8, memory_mib=16_384, last_seen_ms=now_ms())
    late = a_machine(acme, "late-1", cores=4, memory_mib=8_192, last_seen_ms=now_ms() - 300_000)
    silent = a_machine(acme, "silent-1", name="Silent one", cores=2, memory_mib=4_096, last_seen_ms=now_ms() - 7_200_000)
    running = month_of(now(), acme.zone)
    before = month_of(running.start - timedelta(days=1), acme.zone)
    for machine in (web, late, silent):
        _fill(machine, before, hours=30)
        _fill(machine, running, hours=30)
        samples(machine, machine.last_seen_ms)
    draft = billing.draft(acme, before)
    assert draft is not None
    return acme, olga, billing.finalise(draft)


def _fill(machine: Machine, period: Period, hours: int) -> None:
    """Some usage in the first hours of a period, as far as they are over."""
    for number in range(hours * 4):
        start = period.start_ms + number * BUCKET_MS
        if start + BUCKET_MS <= now_ms():
            a_bucket(machine, start, cpu_ms=BUCKET_MS * machine.cores // 2, memory_mib_ms=machine.memory_mib * BUCKET_MS // 2)


def samples(machine: Machine, until_ms: int, count: int = 30, every_ms: int = 5_000) -> None:
    """The machine's last samples: half of everything in use."""
    stream = uuid.uuid4()
    UsageSample.objects.bulk_create(
        UsageSample(
            machine=machine,
            stream=stream,
            seq=count - number,
            start_ms=until_ms - number * every_ms - every_ms,
            end_ms=until_ms - number * every_ms,
            cpu_ms=every_ms * machine.cores // 2,
            memory_mib_ms=every_ms * machine.memory_mib // 2,
            cpu_upct=50_000_000,
            memory_upct=50_000_000,
        )
        for number in range(count)
    )


def store(machine: Machine, core_ms: int, length_ms: int = 1_000) -> dict[str, Any]:
    """Store one sample that ends now, in every table that ingest fills. Return its live point."""
    end = now_ms()
    UsageSample.objects.create(
        machine=machine, stream=uuid.uuid4(), seq=0, start_ms=end - length_ms, end_ms=end, cpu_ms=core_ms, cpu_upct=90_000_000
    )
    bucket, _ = UsageBucket.objects.get_or_create(machine=machine, start_ms=bucket_start(end))
    UsageBucket.objects.filter(pk=bucket.pk).update(cpu_ms=F("cpu_ms") + core_ms, covered_ms=F("covered_ms") + length_ms)
    Machine.objects.filter(pk=machine.pk).update(last_seen_ms=end)
    return {
        "machine": machine.code,
        "t": end,
        "cpu_percent": 90.0,
        "memory_percent": 50.0,
        "cores": core_ms / length_ms,
        "memory_mib": machine.memory_mib // 2,
    }


def push(customer: Customer, *points: dict[str, Any]) -> None:
    """Tell whoever watches, as the worker does after its commit."""
    layer: Any = get_channel_layer()
    event = {"type": "usage.points", "points": list(points)}
    # From a thread of its own, as this one holds Playwright's loop.
    thread = threading.Thread(target=lambda: asyncio.run(layer.group_send(customer_group(customer.pk), event)))
    thread.start()
    thread.join(timeout=5)
