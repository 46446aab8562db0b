"""The only writer of webhook events and deliveries: recorded with their cause, claimed, sent, tried again for a day.

`emit` joins the caller's transaction, so an event is told if and only if its cause was committed. A delivery whose process
dies is claimed again when its lease is over; `webhook-id` stays the same, by which a receiver knows it.
"""

import json
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.timezone import now

from accounts import outbound, sealed
from accounts.audit import record
from accounts.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from accounts.signatures import header_fields
from accounts.webhook_models import TEST_EVENT

State = WebhookDelivery.State
# After each attempt that failed; together 23 h 50 min. The last attempt is the ninth.
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (5, 55, 240, 1_500, 5_400, 14_400, 28_800, 35_400))
LEASE = timedelta(minutes=2)
KEPT = timedelta(days=30)
GONE = 410


def listening(kind: str, using: str = "default") -> QuerySet[WebhookEndpoint]:
    """The endpoints that want to be told of a kind of event."""
    return WebhookEndpoint.objects.using(using).filter(enabled=True, events__contains=kind)


def emit(customer_pk: int, kind: str, cause: str, data: Mapping[str, Any], *, using: str = "default") -> bool:
    """Record an event for each endpoint of the customer that wants it; for none, nothing. The same cause counts once."""
    wanting = list(listening(kind, using).filter(customer_id=customer_pk))
    if not wanting or WebhookEvent.objects.using(using).filter(cause=cause).exists():
        return False
    _write(customer_pk, kind, cause, data, wanting, using)
    return True


def told(causes: Collection[str]) -> set[str]:
    """Those of the causes that were told already."""
    return set(WebhookEvent.objects.filter(cause__in=causes).values_list("cause", flat=True))


@transaction.atomic
def send_test(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Tell one endpoint something that means nothing."""
    data = {"endpoint": endpoint.pk, "note": "A test. Nothing has happened."}
    event = _write(endpoint.customer_id, TEST_EVENT, f"test:{uuid.uuid4()}", data, [endpoint], "default")
    record("webhook.tested", f"webhook:{endpoint.pk}", customer_pk=endpoint.customer_id)
    return event.deliveries.get()


@transaction.atomic
def redeliver(delivery: WebhookDelivery) -> WebhookDelivery:
    """Send an event once more, under its old id, and try for a day if need be."""
    WebhookDelivery.objects.filter(pk=delivery.pk).update(state=State.PENDING, attempts=0, next_at=now(), error="")
    customer_pk = delivery.endpoint.customer_id
    record("webhook.redelivered", f"webhook:{delivery.endpoint_id}", customer_pk=customer_pk, after={"event": delivery.event_id})
    delivery.refresh_from_db()
    return delivery


def claim(at: datetime | None = None, most: int = 200) -> list[int]:
    """Take what is due; nobody else gets it before the lease is over."""
    moment = at or now()
    due = WebhookDelivery.objects.filter(state=State.PENDING, next_at__lte=moment).order_by("next_at")
    found = list(due.values_list("pk", "next_at")[:most])
    until = moment + LEASE
    return [pk for pk, was in found if WebhookDelivery.objects.filter(pk=pk, next_at=was).update(next_at=until)]


def deliver(pk: int) -> bool:
    """Make one attempt at a claimed delivery and note what came of it. Return whether it was taken."""
    row = WebhookDelivery.objects.filter(pk=pk, state=State.PENDING).select_related("event", "endpoint").first()
    if row is None:
        return False
    status, error = _attempt(row.endpoint, row.event)
    if status is not None and 200 <= status < 300:
        _note(row, State.DELIVERED, status, "")
        return True
    over = status == GONE or row.attempts >= len(BACK_OFF)
    _note(row, State.FAILED if over else State.PENDING, status, error)
    if status == GONE:
        _gone(row.endpoint)
    return False


def give_up(endpoint: WebhookEndpoint) -> None:
    """Try no more what waits for an endpoint that was switched off. A test, or what somebody sends once more, is tried still."""
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=State.PENDING)
    waiting.update(state=State.FAILED, error="The webhook was switched off.")


def forget_old(at: datetime | None = None) -> int:
    """Delete events that are a month old, with their deliveries. Return how many."""
    old = WebhookEvent.objects.filter(at__lt=(at or now()) - KEPT)
    return old.delete()[1].get("accounts.WebhookEvent", 0)


def live_secrets(endpoint: WebhookEndpoint, at: datetime) -> list[str]:
    """The newest secret, and the one before as long as it still lives."""
    sealed_ones = [endpoint.sealed]
    if endpoint.sealed_before is not None and endpoint.before_until is not None and endpoint.before_until > at:
        sealed_ones.append(endpoint.sealed_before)
    return [sealed.opened(each).decode() for each in sealed_ones]


@transaction.atomic
def _gone(endpoint: WebhookEndpoint) -> None:
    """The receiver says that it is no more: 410 ends the webhook, as Standard Webhooks asks."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(enabled=False)
    give_up(endpoint)
    record("webhook.gone", f"webhook:{endpoint.pk}", customer_pk=endpoint.customer_id)


def _write(
    customer_pk: int, kind: str, cause: str, data: Mapping[str, Any], endpoints: Iterable[WebhookEndpoint], using: str
) -> WebhookEvent:
    at = now()
    body = json.dumps({"type": kind, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}, separators=(",", ":"))
    event = WebhookEvent.objects.using(using).create(customer_id=customer_pk, kind=kind, cause=cause, body=body, at=at)
    WebhookDelivery.objects.using(using).bulk_create(
        WebhookDelivery(event=event, endpoint=endpoint, next_at=at) for endpoint in endpoints
    )
    return event


def _attempt(endpoint: WebhookEndpoint, event: WebhookEvent) -> tuple[int | None, str]:
    """Return the status that was answered, or None and why there is none."""
    body = event.body.encode()
    headers = {"Content-Type": "application/json", "User-Agent": "Corehour-Webhooks/1"}
    try:
        headers |= header_fields(live_secrets(endpoint, now()), event.id, int(time.time()), body)
        allowed, ca_file = settings.WEBHOOK_ALLOWED_NETWORKS, settings.WEBHOOK_CA_FILE
        answer = outbound.post(endpoint.url, body, headers, allowed=allowed, ca_file=ca_file)
    except (outbound.Refused, outbound.NoAnswer, sealed.NotOurs) as error:
        return None, str(error)[:200]
    return answer.status, f"Answered {answer.status}"


def _note(row: WebhookDelivery, state: str, status: int | None, error: str) -> None:
    """Guarded by the count of attempts: of two who tried the same attempt one notes it."""
    at = now()
    same = WebhookDelivery.objects.filter(pk=row.pk, state=State.PENDING, attempts=row.attempts)
    changes: dict[str, Any] = {"state": state, "status": status, "error": error, "last_at": at, "attempts": F("attempts") + 1}
    if state == State.PENDING:
        changes["next_at"] = at + BACK_OFF[row.attempts]
    same.update(**changes)
