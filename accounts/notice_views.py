"""The portal's notices: the list, what is new as JSON for the pages' toasts, and what a person wants to be mailed."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import notices, people
from accounts.access import require_role
from accounts.current import current_customer
from accounts.models import Customer, User
from accounts.notice_words import words_of
from accounts.scopes import PAYERS
from accounts.settings_forms import BudgetForm, PersonForm

SHOWN = 100
TOASTS = 3


@require_safe
@login_required
@never_cache
def notice_list(request: HttpRequest) -> HttpResponse:
    """The newest notices; whoever opens the page has seen them."""
    user, customer = _person(request), current_customer(request)
    found, seen = notices.readable(user, customer)
    rows = list(found[:SHOWN])
    shown = [(row, words_of(row, customer), row.pk > seen) for row in rows]
    if rows:
        notices.mark_seen(user, customer, rows[0].pk)
    return render(request, "accounts/notices.html", {"customer": customer, "rows": shown})


@never_cache
@require_safe
def notices_json(request: HttpRequest) -> JsonResponse:
    """How many notices are unseen, and the newest of them in words."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": "Sign in first."}, status=401)
    customer = current_customer(request)
    found, seen = notices.readable(_person(request), customer)
    unseen = found.filter(pk__gt=seen)
    newest = [_json(row, customer) for row in unseen[:TOASTS]]
    return JsonResponse({"unseen": unseen.count() if len(newest) == TOASTS else len(newest), "notices": newest})


@require_POST
@login_required
def person_set(request: HttpRequest) -> HttpResponse:
    """Save a person's language and what they want to be mailed."""
    form = PersonForm(request.POST)
    if form.is_valid():
        people.set_wishes(_person(request), form.cleaned_data["language"], form.cleaned_data["mail_about"])
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("Choose from what is offered."))
    return redirect("settings")


@require_POST
@login_required
def budget_set(request: HttpRequest) -> HttpResponse:
    """Save a customer's budget for a month; none where the field is empty."""
    customer = current_customer(request)
    require_role(request.user, customer, PAYERS)
    form = BudgetForm(customer.currency, request.POST)
    if form.is_valid():
        people.set_budget(customer, form.budget_minor())
        messages.success(request, _("Saved."))
    else:
        messages.error(request, " ".join(map(str, form.errors["budget"])))
    return redirect("settings")


def _json(row: Any, customer: Customer) -> dict[str, Any]:
    words = words_of(row, customer)
    return {"id": row.pk, "title": words.title, "text": words.text, "link": words.link}


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - login_required let nobody else in
    return request.user
