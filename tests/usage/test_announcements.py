"""What of usage is told by webhook: a machine that falls silent, once; refused usage, once an hour by machine and reason."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import webhooks
from accounts.models import Customer, WebhookEvent
from tests.cast import a_customer, a_machine
from tests.usage.build import LIMITS, TOPIC_ID, body, offset_row, raw, sample
from usage.announcements import announce_silence
from usage.ingest import store
from usage.models import RejectedMessage
from usage.offsets import LostOwnership, Position
from usage.periods import to_ms

pytestmark = pytest.mark.django_db
EVENTS = ["machine.silent", "usage.rejected"]
MINUTE_MS = 60_000


@pytest.fixture
def acme() -> Customer:
    customer = a_customer("acme")
    webhooks.add(customer, "https://hooks.acme.example/", EVENTS)
    customer.webhooks.update(created_at=now() - timedelta(days=3))
    return customer


def test_a_silence_is_told_once(acme: Customer) -> None:
    now_ms = to_ms(now())
    a_machine(acme, "web-1", name="Web", last_seen_ms=now_ms - 16 * MINUTE_MS)
    a_machine(acme, "web-2", last_seen_ms=now_ms - 14 * MINUTE_MS)
    a_machine(acme, "web-3", last_seen_ms=now_ms - 16 * MINUTE_MS, retired_at=now() - timedelta(hours=1))
    a_machine(acme, "web-4")
    a_machine(a_customer("bolt"), "bolt-1", last_seen_ms=now_ms - 16 * MINUTE_MS)

    announce_silence(now_ms)
    announce_silence(now_ms)

    (event,) = WebhookEvent.objects.all()
    assert event.kind == "machine.silent"
    assert '"machine":"web-1"' in event.body


def test_a_silence_from_before_anybody_listened_is_not_told(acme: Customer) -> None:
    now_ms = to_ms(now())
    acme.webhooks.update(created_at=now())
    a_machine(acme, "web-1", last_seen_ms=now_ms - 30 * MINUTE_MS)

    announce_silence(now_ms)

    assert not WebhookEvent.objects.exists()


BAD = body(sample(0, cpu_ms=-1))
FIRST = Position("resource_usage", TOPIC_ID, 0, 0)


def test_refused_usage_is_told_by_machine_and_reason_once_an_hour(acme: Customer) -> None:
    a_machine(acme, "web-1")
    a_machine(a_customer("bolt"), "bolt-1")
    offset_row()
    unknown = raw(body(machine="nobody-1"), offset=2, key=b"nobody-1")
    others = raw(body(sample(0, cpu_ms=-1), machine="bolt-1"), offset=3, key=b"bolt-1")

    store(FIRST, [raw(BAD), raw(BAD, offset=1), unknown, others], LIMITS)
    store(Position("resource_usage", TOPIC_ID, 0, 4), [raw(BAD, offset=4)], LIMITS)

    assert RejectedMessage.objects.count() == 5
    (event,) = WebhookEvent.objects.all()
    assert (event.kind, event.customer) == ("usage.rejected", acme)
    assert '"machine":"web-1"' in event.body
    assert '"messages":2' in event.body


def test_what_is_rolled_back_is_not_told(acme: Customer) -> None:
    a_machine(acme, "web-1")
    offset_row(next_offset=7)

    with pytest.raises(LostOwnership):
        store(FIRST, [raw(BAD)], LIMITS)

    assert not WebhookEvent.objects.exists()
