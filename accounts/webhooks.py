"""The one writer of webhook endpoints: each change goes to the audit trail with it. What they are told is accounts.outbox's."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now

from accounts import outbound, outbox, sealed
from accounts.audit import record
from accounts.models import Customer, WebhookEndpoint
from accounts.signatures import new_secret
from accounts.webhook_models import EVENTS

MOST = 10
OVERLAP = timedelta(hours=24)


class WebhookError(ValueError):
    """Why an endpoint cannot be so, as a sentence; `field` names what is wrong."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@transaction.atomic
def add(customer: Customer, url: str, events: Collection[str], note: str = "") -> tuple[WebhookEndpoint, str]:
    """Make an endpoint; the second value is its secret, to be shown once."""
    Customer.objects.select_for_update().get(pk=customer.pk)
    if customer.webhooks.count() >= MOST:
        raise WebhookError("url", f"A customer has at most {MOST} endpoints.")
    secret = new_secret()
    endpoint = WebhookEndpoint(customer=customer, sealed=sealed.seal(secret.encode()))
    _set(endpoint, {"url": url, "events": events, "note": note})
    endpoint.save()
    record("webhook.added", f"webhook:{endpoint.pk}", customer_pk=customer.pk, after=about(endpoint))
    return endpoint, secret


@transaction.atomic
def change(endpoint: WebhookEndpoint, given: dict[str, Any]) -> WebhookEndpoint:
    """Change address, events, note, or whether it is called at all."""
    before = about(endpoint)
    _set(endpoint, given)
    endpoint.save(update_fields=["url", "events", "note", "enabled"])
    if before["enabled"] and not endpoint.enabled:
        outbox.give_up(endpoint)
    record("webhook.changed", f"webhook:{endpoint.pk}", customer_pk=endpoint.customer_id, before=before, after=about(endpoint))
    return endpoint


@transaction.atomic
def rotate(endpoint: WebhookEndpoint, overlap: timedelta = OVERLAP) -> str:
    """Make a new secret and return it. For a day messages are signed with the old one too, so that a receiver can be moved."""
    secret = new_secret()
    endpoint.sealed_before, endpoint.before_until = bytes(endpoint.sealed), now() + overlap
    endpoint.sealed = sealed.seal(secret.encode())
    endpoint.save(update_fields=["sealed", "sealed_before", "before_until"])
    record("webhook.rotated", f"webhook:{endpoint.pk}", customer_pk=endpoint.customer_id)
    return secret


@transaction.atomic
def remove(endpoint: WebhookEndpoint) -> None:
    """Call it no more, and forget what became of its deliveries."""
    record("webhook.removed", f"webhook:{endpoint.pk}", customer_pk=endpoint.customer_id, before=about(endpoint))
    endpoint.delete()


def about(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """What the audit trail keeps of an endpoint."""
    return {"url": endpoint.url, "events": endpoint.events, "note": endpoint.note, "enabled": endpoint.enabled}


def _set(endpoint: WebhookEndpoint, given: dict[str, Any]) -> None:
    if "url" in given:
        try:
            outbound.refuse_literal(given["url"], settings.WEBHOOK_ALLOWED_NETWORKS)
        except outbound.Refused as error:
            raise WebhookError("url", str(error)) from error
        endpoint.url = given["url"]
    if "events" in given:
        endpoint.events = " ".join(_known(given["events"]))
    endpoint.note = given.get("note", endpoint.note)
    endpoint.enabled = given.get("enabled", endpoint.enabled)


def _known(events: Collection[str]) -> list[str]:
    if not events or set(events) - set(EVENTS):
        raise WebhookError("events", f"Use some of {', '.join(EVENTS)}.")
    return [name for name in EVENTS if name in set(events)]
