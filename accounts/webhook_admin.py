"""The operator's desk for webhooks: where customers are told of events, what became of it, and once more."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import outbox, webhooks
from accounts.admin_parts import ReadOnlyDesk, display
from accounts.models import WebhookDelivery, WebhookEndpoint


class Changeable(ReadOnlyDesk):
    """Rows that their owner writes; an operator's actions ask for the right to change them."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"accounts.change_{self.opts.model_name}"))


class WebhookEndpointAdmin(Changeable):
    list_display = ("url", "customer", "events", "enabled", "created_at")
    list_filter = ("enabled",)
    list_select_related = ("customer",)
    search_fields = ("url", "note", "customer__name", "customer__code")
    fields = ("customer", "url", "note", "events", "enabled", "before_until", "created_at")
    csv_fields = ("customer__code", "url", "note", "events", "enabled", "created_at")
    actions = ("export_csv", "send_test", "switch_off")

    @admin.action(description="Send a test", permissions=["act"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        sent = [outbox.send_test(endpoint) for endpoint in queryset]
        self.message_user(request, f"{len(sent)} tests are on their way.", messages.SUCCESS)

    @admin.action(description="Switch off", permissions=["act"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        off = [webhooks.change(endpoint, {"enabled": False}) for endpoint in queryset.filter(enabled=True)]
        self.message_user(request, f"{len(off)} webhooks are called no more.", messages.SUCCESS)


class WebhookDeliveryAdmin(Changeable):
    list_display = ("event", "kind", "endpoint", "shown_state", "attempts", "status", "last_at")
    list_filter = ("state", "event__kind")
    list_select_related = ("event", "endpoint")
    search_fields = ("event__id", "endpoint__url", "endpoint__customer__code")
    fields = ("event", "kind", "body", "endpoint", "state", "attempts", "next_at", "last_at", "status", "error")
    readonly_fields = ("kind", "body")
    csv_fields = ("event__id", "event__kind", "endpoint__url", "state", "attempts", "last_at", "status", "error")
    actions = ("export_csv", "redeliver")

    @display(description="Event")
    def kind(self, delivery: Any) -> str:
        return str(delivery.event.kind)

    @display(description="What is sent")
    def body(self, delivery: Any) -> str:
        return str(delivery.event.body)

    @display(description="State", label={"Delivered": "success", "Given up": "danger", "Waiting": "warning"})
    def shown_state(self, delivery: Any) -> str:
        return str(delivery.get_state_display())

    @admin.action(description="Deliver once more", permissions=["act"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        again = [outbox.redeliver(delivery) for delivery in queryset.select_related("endpoint")]
        self.message_user(request, f"{len(again)} deliveries are on their way once more.", messages.SUCCESS)
