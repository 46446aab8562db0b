"""The portal's settings of webhooks, for a customer's owners. A secret is shown once, by the request that made it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import outbox, webhooks
from accounts.access import require_role
from accounts.current import current_customer
from accounts.models import Customer, WebhookEndpoint
from accounts.scopes import OWNERS
from accounts.settings_forms import EndpointForm
from accounts.webhook_models import EVENTS

SHOWN = 50


@require_safe
@login_required
@never_cache
def endpoints(request: HttpRequest) -> HttpResponse:
    """All endpoints of the customer, and a form for another."""
    return _list_page(request, _owned(request), EndpointForm())


@require_POST
@login_required
@never_cache
def endpoint_new(request: HttpRequest) -> HttpResponse:
    customer, form = _owned(request), EndpointForm(request.POST)
    if not form.is_valid():
        return _list_page(request, customer, form, status=400)
    try:
        endpoint, secret = webhooks.add(customer, **form.wishes())
    except webhooks.WebhookError as error:
        form.add_error(error.field, str(error))
        return _list_page(request, customer, form, status=400)
    return _page(request, endpoint, secret=secret)


@require_safe
@login_required
@never_cache
def endpoint(request: HttpRequest, pk: int) -> HttpResponse:
    """One endpoint with the newest of its deliveries."""
    return _page(request, _endpoint(request, pk))


@require_POST
@login_required
@never_cache
def endpoint_change(request: HttpRequest, pk: int) -> HttpResponse:
    row, form = _endpoint(request, pk), EndpointForm(request.POST)
    if not form.is_valid():
        return _page(request, row, form=form, status=400)
    try:
        webhooks.change(row, {**form.wishes(), "enabled": form.cleaned_data["enabled"]})
    except webhooks.WebhookError as error:
        form.add_error(error.field, str(error))
        return _page(request, row, form=form, status=400)
    messages.success(request, _("Saved."))
    return redirect("webhook", row.pk)


@require_POST
@login_required
@never_cache
def endpoint_rotate(request: HttpRequest, pk: int) -> HttpResponse:
    row = _endpoint(request, pk)
    return _page(request, row, secret=webhooks.rotate(row))


@require_POST
@login_required
def endpoint_test(request: HttpRequest, pk: int) -> HttpResponse:
    row = _endpoint(request, pk)
    outbox.send_test(row)
    messages.success(request, _("A test is on its way. Load this page again in a moment to see what became of it."))
    return redirect("webhook", row.pk)


@require_POST
@login_required
def endpoint_remove(request: HttpRequest, pk: int) -> HttpResponse:
    webhooks.remove(_endpoint(request, pk))
    messages.success(request, _("Removed. It is called no more."))
    return redirect("webhooks")


@require_POST
@login_required
def redeliver(request: HttpRequest, pk: int, delivery: int) -> HttpResponse:
    row = get_object_or_404(_endpoint(request, pk).deliveries, pk=delivery)
    outbox.redeliver(row)
    messages.success(request, _("%(event)s is on its way once more.") % {"event": row.event_id})
    return redirect("webhook", pk)


def _list_page(request: HttpRequest, customer: Customer, form: EndpointForm, *, status: int = 200) -> HttpResponse:
    context = {"endpoints": customer.webhooks.order_by("pk"), "form": form, "events": EVENTS, "chosen": _chosen(form)}
    return render(request, "accounts/webhooks.html", context, status=status)


def _page(
    request: HttpRequest, row: WebhookEndpoint, *, form: EndpointForm | None = None, secret: str = "", status: int = 200
) -> HttpResponse:
    bound = form or EndpointForm(initial={"url": row.url, "events": row.event_list, "note": row.note, "enabled": row.enabled})
    context = {
        "endpoint": row,
        "deliveries": row.deliveries.select_related("event").order_by("-pk")[:SHOWN],
        "form": bound,
        "events": EVENTS,
        "chosen": _chosen(bound),
        "secret": secret,
        "now": now(),
    }
    return render(request, "accounts/webhook.html", context, status=status)


def _chosen(form: EndpointForm) -> list[str]:
    """The events that are ticked in a form."""
    return list(form["events"].value() or [])


def _endpoint(request: HttpRequest, pk: int) -> WebhookEndpoint:
    return get_object_or_404(_owned(request).webhooks, pk=pk)


def _owned(request: HttpRequest) -> Customer:
    """The page's customer, whose owner the reader must be."""
    customer = current_customer(request)
    require_role(request.user, customer, OWNERS)
    return customer
