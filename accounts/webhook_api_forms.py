"""What the API's room of webhooks takes and shows, with an example of each."""

from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from accounts.forms import Form
from accounts.models import WebhookDelivery, WebhookEndpoint
from accounts.webhook_models import EVENTS


class NewEndpoint(Form):
    url = serializers.CharField(max_length=500, help_text="https only, on the public Internet")
    events = serializers.MultipleChoiceField(choices=list(EVENTS.items()), allow_empty=False)
    note = serializers.CharField(max_length=120, required=False, allow_blank=True)


class ChangedEndpoint(Form):
    url = serializers.CharField(max_length=500, required=False)
    events = serializers.MultipleChoiceField(choices=list(EVENTS.items()), allow_empty=False, required=False)
    note = serializers.CharField(max_length=120, required=False, allow_blank=True)
    enabled = serializers.BooleanField(required=False)


class EndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    events = serializers.ListField(source="event_list", child=serializers.CharField())

    class Meta:
        model = WebhookEndpoint
        fields = ("id", "url", "events", "note", "enabled", "created_at", "before_until")
        extra_kwargs: dict[str, Any] = {"before_until": {"help_text": "Until when messages are signed with the old secret too"}}


class SecretSerializer(EndpointSerializer):
    secret = serializers.CharField(help_text="Shown this once")

    class Meta(EndpointSerializer.Meta):
        fields = (*EndpointSerializer.Meta.fields, "secret")  # type: ignore[assignment] # one more


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    event = serializers.CharField(source="event.pk", help_text="The header webhook-id, the same at each attempt")
    type = serializers.CharField(source="event.kind")
    at = serializers.DateTimeField(source="event.at")
    state = serializers.CharField(help_text="pending, delivered or failed")
    attempts = serializers.IntegerField(min_value=0)
    status = serializers.IntegerField(min_value=100, max_value=599, allow_null=True, help_text="HTTP status of the last answer")

    class Meta:
        model = WebhookDelivery
        fields = ("id", "event", "type", "at", "state", "attempts", "next_at", "last_at", "status", "error")


def _example(name: str, value: dict[str, Any], status: int) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


_ASKED = {"url": "https://hooks.acme.example/corehour", "events": ["invoice.finalized", "invoice.paid"], "note": "Books"}
_SHOWN: dict[str, Any] = {"id": 4, **_ASKED, "enabled": True, "created_at": "2026-11-24T14:32:08Z", "before_until": None}
_SECRET = "whsec_cnVubmluZyB3aXRoIHNjaXNzb3JzIGlzIGZpbmUhISE="  # noqa: S105 - an example
_SENT: dict[str, Any] = {"id": 19, "event": "msg_1f0c5b7e9a3d4c2e8b6a7d5c3e1f9b0a", "type": "invoice.finalized"}
_SENT |= {"at": "2026-12-02T00:05:11Z", "state": "delivered", "attempts": 1, "next_at": "2026-12-02T00:07:14Z"}
_SENT |= {"last_at": "2026-12-02T00:05:14Z", "status": 204, "error": ""}
NEW = OpenApiExample("For the books", _ASKED, request_only=True)
CHANGED = OpenApiExample("Pause it", {"enabled": False}, request_only=True)
ENDPOINT = _example("An endpoint", _SHOWN, 200)
ENDPOINTS = _example("One endpoint", _SHOWN, 200)
MADE = _example("With its secret", {**_SHOWN, "secret": _SECRET}, 201)
ROTATED = _example("With its secret", {**_SHOWN, "before_until": "2026-11-25T14:32:08Z", "secret": _SECRET}, 200)
DELIVERY = _example("On its way", {**_SENT, "state": "pending", "attempts": 0, "last_at": None, "status": None}, 202)
DELIVERIES = _example("Delivered", _SENT, 200)
