"""The admin's side bar: what operators look for, in the order in which they need it. Whatever is not named comes last."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

# Model (app_label.object_name) to its words and its symbol (Material Symbols).
GROUPS: tuple[tuple[str, dict[str, tuple[str, str]]], ...] = (
    (
        "Customers",
        {
            "accounts.Customer": ("Customers", "apartment"),
            "usage.Machine": ("Machines", "dns"),
            "accounts.ApiKey": ("API keys", "key"),
            "accounts.Mail": ("Mail", "mail"),
            "accounts.Notice": ("Notices", "notifications"),
            "accounts.WebhookEndpoint": ("Webhooks", "webhook"),
            "accounts.WebhookDelivery": ("Webhook deliveries", "outbox"),
            "accounts.AuditEntry": ("Audit trail", "policy"),
        },
    ),
    (
        "Money",
        {
            "invoices.Invoice": ("Invoices", "receipt_long"),
            "invoices.CreditNote": ("Credit notes", "undo"),
            "invoices.LedgerEntry": ("Ledger and wallets", "account_balance_wallet"),
            "invoices.InvoiceRun": ("Invoice runs", "schedule_send"),
            "invoices.Discount": ("Discounts", "percent"),
            "invoices.OneOffItem": ("One-off items", "playlist_add"),
            "invoices.TaxRate": ("Tax rates", "account_balance"),
            "invoices.RatePlan": ("Rate plans", "sell"),
            "invoices.PlanVersion": ("Plan versions", "history_edu"),
            "invoices.SpotPrice": ("Spot prices", "show_chart"),
            "invoices.Subscription": ("Subscriptions", "event_repeat"),
        },
    ),
    (
        "Usage",
        {
            "usage.RejectedMessage": ("Rejected messages", "rule"),
            "usage.UsageBucket": ("Quarter hours", "bar_chart"),
            "usage.StreamRun": ("Runs received", "linear_scale"),
            "usage.IngestOffset": ("Offsets", "bookmark"),
            "usage.IngestIncident": ("Incidents", "warning"),
            "usage.WorkerBeat": ("Workers", "memory"),
            "usage.MachineKey": ("Machine keys", "vpn_key"),
            "usage.EnrolmentToken": ("Enrolment tokens", "confirmation_number"),
            "usage.UnsignedPermission": ("Unsigned usage", "no_encryption"),
            "usage.AgentState": ("Agents", "router"),
        },
    ),
    (
        "Access",
        {
            "accounts.User": ("Users", "person"),
            "auth.Group": ("Groups", "group"),
        },
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return unfold's groups of links, only those that the reader may open."""
    left = _pages(request)
    start = {"title": "Overview", "icon": "monitoring", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"title": "", "items": [start]}]
    for title, models in GROUPS:
        items = [_item(words, symbol, left.pop(model)) for model, (words, symbol) in models.items() if model in left]
        groups.append({"title": title, "items": items})
    rest = [_item(page["name"], "widgets", page) for page in left.values()]
    if request.user.has_perm("django_celery_results.view_taskresult"):
        rest.insert(0, {"title": "Schedules", "icon": "schedule", "link": reverse("admin-schedules")})
    return [*groups, {"title": "More", "items": rest}]


def _pages(request: HttpRequest) -> dict[str, dict[str, Any]]:
    """The lists that the reader may open, by app label and model name."""
    return {
        f"{app['app_label']}.{page['object_name']}": page
        for app in admin.site.get_app_list(request)
        for page in app["models"]
        if page["admin_url"]
    }


def _item(title: str, symbol: str, page: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "icon": symbol, "link": page["admin_url"]}
