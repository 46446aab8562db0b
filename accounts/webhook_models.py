"""What the webhooks keep: where to call, what happened, and what became of each call."""

import secrets
from typing import ClassVar

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

EVENTS = {
    "invoice.finalized": _("An invoice is final"),
    "invoice.paid": _("An invoice is paid in full"),
    "machine.silent": _("A machine has sent nothing for a quarter of an hour"),
    "usage.rejected": _("Usage was refused: the first time in an hour, by machine and reason"),
}
TEST_EVENT = "webhook.test"


def new_event_id() -> str:
    return f"msg_{secrets.token_hex(16)}"


class WebhookEndpoint(models.Model):
    """An address of a customer's that is told of events. While two secrets live, each message is signed with both."""

    customer = models.ForeignKey("accounts.Customer", models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=500)
    note = models.CharField(max_length=120, blank=True)
    events = models.CharField(max_length=200, help_text="Names with spaces between")
    enabled = models.BooleanField(default=True)
    sealed = models.BinaryField()
    sealed_before = models.BinaryField(null=True)
    before_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.url

    @property
    def event_list(self) -> list[str]:
        return self.events.split()


class WebhookEvent(models.Model):
    """Something that happened, written in the transaction in which it did. Its body is what is sent, byte for byte."""

    id = models.CharField(max_length=40, primary_key=True, default=new_event_id)
    customer = models.ForeignKey("accounts.Customer", models.CASCADE, related_name="webhook_events")
    kind = models.CharField(max_length=40)
    cause = models.CharField(max_length=160, unique=True)  # The same cause is told once.
    body = models.TextField()
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint. Written by accounts.outbox alone."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Given up")

    event = models.ForeignKey(WebhookEvent, models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=now)
    last_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status of the last answer")
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once")]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["next_at"], condition=models.Q(state="pending"), name="delivery_due")
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}"
