"""The live cost: one rating for all who watch, never more than one at a time, and never one that misses the last usage."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.utils.timezone import now

from accounts.models import Customer
from invoices import billing, running
from invoices.estimate import Estimate, estimate
from invoices.running import CostMeter, cost_message
from invoices.sockets import CostSocket
from tests.cast import a_bucket, a_customer, a_machine, a_member, signed_in
from tests.invoices.rows import CPU, FEE, HOUR_MS, published, subscribed
from tests.sockets import in_database, opened
from usage.live import customer_group
from usage.models import Machine
from usage.periods import BUCKET_MS, bucket_start, month_of, to_ms

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web() -> Machine:
    acme = a_customer()
    subscribed(acme, published(FEE, CPU))
    return a_machine(acme)


def use(machine: Machine, core_ms: int) -> None:
    machine.buckets.all().delete()
    a_bucket(machine, month_of(now(), machine.customer.zone).start_ms, cpu_ms=core_ms)


def test_the_message_carries_no_float_and_the_invoices_own_total(web: Machine) -> None:
    use(web, HOUR_MS // 7)

    message = cost_message(web.customer)

    assert (message["total"], message["exact"]) == ("9.01", "9.0057")
    assert message["text"] | {"rate": "", "per_hour": ""} == {"exact": "€9.0057", "total": "€9.01", "rate": "", "per_hour": ""}
    assert not [value for value in _leaves(message) if isinstance(value, float)]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


def test_the_rate_is_that_of_the_last_whole_hour(web: Machine) -> None:
    at = to_ms(month_of(now(), web.customer.zone).start + timedelta(days=3))
    for quarter in range(4):
        a_bucket(web, bucket_start(at) + quarter * BUCKET_MS, cpu_ms=HOUR_MS * 10)

    whole_hour = estimate(web.customer, month_of(now(), web.customer.zone).start + timedelta(days=3, hours=1, minutes=5))

    assert running.rate_words(whole_hour, "en-GB") == "€1.60 in the last full hour."


async def test_whoever_asks_while_a_rating_waits_gets_that_rating(web: Machine) -> None:
    meter = CostMeter(interval_s=0.2)
    rated = _count_ratings(meter)

    answers = await asyncio.gather(*(meter.soon(web.customer_id) for _ in range(50)))

    assert {answer["total"] for answer in answers} == {"9.00"}
    assert len(rated) == 1


async def test_ratings_keep_their_distance_and_the_last_one_holds_the_newest_usage(web: Machine) -> None:
    meter = CostMeter(interval_s=0.3)
    rated = _count_ratings(meter)
    loop = asyncio.get_running_loop()

    began = loop.time()
    first = await meter.soon(web.customer_id)
    await in_database(use)(web, 100 * HOUR_MS)
    second = await meter.soon(web.customer_id)

    assert (first["total"], second["total"]) == ("9.00", "13.00")
    assert loop.time() - began >= 0.3
    assert len(rated) == 2


def test_a_live_number_reads_closed_months_once_a_minute_and_this_month_each_time(web: Machine) -> None:
    """Last month is billed with its fee alone; 100 core-hours of it for 4.00 come late, and then 100 of this month."""
    this = month_of(now(), web.customer.zone)
    draft = billing.draft(web.customer, month_of(this.start - timedelta(days=1), web.customer.zone))
    assert draft is not None
    billing.finalise(draft, this.start)
    closed: dict[int, Estimate] = {}
    before = running._message_for(web.customer_id, closed)
    a_bucket(web, this.start_ms - BUCKET_MS, cpu_ms=100 * HOUR_MS)
    a_bucket(web, this.start_ms, cpu_ms=100 * HOUR_MS)

    soon = running._message_for(web.customer_id, closed)
    page = cost_message(web.customer)
    closed[web.customer_id] = replace(closed[web.customer_id], at=now() - running.CLOSED_KNOWN_FOR)
    later = running._message_for(web.customer_id, closed)

    assert [message["total"] for message in (before, soon, page, later)] == ["9.00", "13.00", "17.00", "17.00"]


def _count_ratings(meter: CostMeter) -> list[int]:
    """Note each rating that begins."""
    rated: list[int] = []
    started = meter._started

    class Noting(dict[int, float]):
        def __setitem__(self, customer: int, at: float) -> None:
            rated.append(customer)
            super().__setitem__(customer, at)

    meter._started = Noting(started)
    return rated


async def test_the_socket_tells_the_cost_at_once_and_again_after_usage(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CostSocket, "meter", CostMeter(interval_s=0.05))
    olga = await in_database(a_member)(web.customer)
    client = await in_database(signed_in)(olga)
    layer: Any = get_channel_layer()

    async with opened("/ws/cost/?customer=acme", client) as socket:
        at_first = await socket.receive_json_from(timeout=5)
        await in_database(use)(web, 100 * HOUR_MS)
        await layer.group_send(customer_group(web.customer_id), {"type": "usage.points", "points": []})
        after = await socket.receive_json_from(timeout=5)

    assert (at_first["total"], after["total"]) == ("9.00", "13.00")
    assert after["lines"][1]["quantity"] == "100.0 core‑h"


async def test_a_burst_of_usage_is_one_message_and_loses_nothing(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CostSocket, "meter", CostMeter(interval_s=0.3))
    client = await in_database(signed_in)(await in_database(a_member)(web.customer))
    layer: Any = get_channel_layer()

    async with opened("/ws/cost/?customer=acme", client) as socket:
        await socket.receive_json_from(timeout=5)
        for hours in (10, 50, 100):
            await in_database(use)(web, hours * HOUR_MS)
            await layer.group_send(customer_group(web.customer_id), {"type": "usage.points", "points": []})
        messages = [await socket.receive_json_from(timeout=5)]
        while not await socket.receive_nothing(timeout=0.5):
            messages.append(await socket.receive_json_from(timeout=5))

    assert len(messages) <= 2
    assert messages[-1]["total"] == "13.00"


async def test_usage_that_comes_while_a_rating_runs_is_rated_after_it(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CostSocket, "meter", CostMeter(interval_s=0))
    may_go, rated = threading.Event(), threading.Event()
    rate = running._message_for

    def with_usage_just_after(customer_pk: int, closed: dict[int, Estimate]) -> dict[str, Any]:
        message = rate(customer_pk, closed)
        if not rated.is_set():
            use(web, 100 * HOUR_MS)
            rated.set()
            may_go.wait(5)
        return message

    monkeypatch.setattr(running, "_message_for", with_usage_just_after)
    client = await in_database(signed_in)(await in_database(a_member)(web.customer))
    layer: Any = get_channel_layer()

    async with opened("/ws/cost/?customer=acme", client) as socket:
        await asyncio.to_thread(rated.wait, 5)
        await layer.group_send(customer_group(web.customer_id), {"type": "usage.points", "points": []})
        assert await socket.receive_nothing(timeout=0.2)
        may_go.set()

        assert (await socket.receive_json_from(timeout=5))["total"] == "9.00"
        assert (await socket.receive_json_from(timeout=5))["total"] == "13.00"


async def test_two_ratings_of_a_customer_never_run_at_the_same_time(web: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = CostMeter(interval_s=0)
    running_now: list[int] = []
    busiest: list[int] = []

    async def slowly(customer_pk: int, closed: dict[int, Estimate]) -> dict[str, Any]:
        running_now.append(customer_pk)
        busiest.append(len(running_now))
        await asyncio.sleep(0.1)
        running_now.pop()
        return {}

    monkeypatch.setattr(running, "database_sync_to_async", lambda _: slowly)
    first = asyncio.create_task(meter.soon(web.customer_id))
    while not running_now:
        await asyncio.sleep(0.01)
    await asyncio.gather(first, meter.soon(web.customer_id), meter.soon(web.customer_id))

    assert busiest == [1, 1]


async def test_a_customer_that_cannot_be_priced_hears_nothing_and_stays_connected(web: Machine) -> None:
    await Customer.objects.filter(pk=web.customer_id).aupdate(currency="USD")
    client = await in_database(signed_in)(await in_database(a_member)(web.customer))

    async with opened("/ws/cost/?customer=acme", client) as socket:
        assert await socket.receive_nothing(timeout=0.5)
