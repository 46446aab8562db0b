"""The portal's settings: keys and members of a customer (its owners), sessions and password (everybody)."""

from decimal import Decimal

from babel.numbers import get_currency_precision
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts import attempts, passkeys, people, second_factor, sessions
from accounts.access import has_role, require_role
from accounts.audit import record
from accounts.current import current_customer, current_customer_or_none
from accounts.languages import CHOICES
from accounts.models import ApiKey, Customer, Notice, User
from accounts.scopes import OWNERS, PAYERS, SCOPES
from accounts.settings_forms import LIVES, KeyForm, MemberForm, PasswordForm
from accounts.whence import address_of


@require_safe
@login_required
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """Sessions and password for everybody, members for a customer's people, keys for its owners."""
    user, customer = _person(request), current_customer_or_none(request)
    context = {
        "sessions": sessions.others(user, request.session.session_key),
        "current_key": request.session.session_key,
        "passkey_count": user.passkeys.count(),
        "has_codes": second_factor.has_codes(user),
        "is_owner": customer is not None and has_role(user, customer, OWNERS),
        "members": customer.memberships.select_related("user").order_by("user__email") if customer else [],
        "is_payer": customer is not None and has_role(user, customer, PAYERS),
        "budget": _budget_text(customer),
        "languages": CHOICES,
        "notice_kinds": Notice.Kind.choices,
        "roles": MemberForm.base_fields["role"].choices,  # type: ignore[attr-defined] # a ChoiceField
    }
    return render(request, "accounts/settings.html", context)


@require_safe
@login_required
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """The customer's keys. A secret is shown on this page once, by the request that made it."""
    return _keys_page(request, _owned(request))


@require_POST
@login_required
@never_cache
def key_new(request: HttpRequest) -> HttpResponse:
    customer, form = _owned(request), KeyForm(request.POST)
    if not form.is_valid():
        return _keys_page(request, customer, form=form, status=400)
    key, secret = people.issue_key(customer, form.cleaned_data["name"], form.cleaned_data["scopes"], form.expires_at())
    return _keys_page(request, customer, secret=secret, made=key)


@require_POST
@login_required
@never_cache
def key_rotate(request: HttpRequest, pk: int) -> HttpResponse:
    customer = _owned(request)
    try:
        made, secret = people.rotate_key(get_object_or_404(customer.api_keys, pk=pk))
    except people.PeopleError as error:
        messages.error(request, str(error))
        return redirect("keys")
    return _keys_page(request, customer, secret=secret, made=made)


@require_POST
@login_required
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(_owned(request).api_keys, pk=pk)
    people.revoke_key(key)
    messages.success(request, _("%(key)s is revoked and stopped working.") % {"key": f"{key.prefix}…"})
    return redirect("keys")


@require_POST
@login_required
def member_set(request: HttpRequest) -> HttpResponse:
    customer, form = _owned(request), MemberForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give an e-mail address and a role."))
        return redirect("settings")
    try:
        people.set_member(customer, form.cleaned_data["email"], form.cleaned_data["role"])
        messages.success(request, _("Saved. Somebody new sets a password by “Password lost?” on the sign-in page."))
    except people.PeopleError as error:
        messages.error(request, str(error))
    return redirect("settings")


@require_POST
@login_required
def member_remove(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        if not people.remove_member(_owned(request), pk):
            raise Http404("No such member.")
    except people.PeopleError as error:
        messages.error(request, str(error))
    return redirect("settings")


@require_POST
@login_required
def session_end(request: HttpRequest, pk: int) -> HttpResponse:
    if not sessions.end(_person(request), pk):
        raise Http404("No such session.")
    return redirect("settings")


@login_required
@never_cache
@sensitive_post_parameters("password")
def confirm(request: HttpRequest) -> HttpResponse:
    """The password once more; then on to where the person was going, on this site."""
    user = _person(request)
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    onward = wanted if safe else settings.LOGIN_REDIRECT_URL
    problem = _unproved(request, user) if request.method == "POST" else ""
    if request.method == "POST" and not problem:
        sessions.prove(request.session)
        return redirect(onward)
    works = passkeys.usable_at(request) and user.passkeys.exists()
    context = {"next": onward, "problem": problem, "passkeys_work": works}
    return render(request, "accounts/confirm.html", context, status=400 if problem else 200)


def _unproved(request: HttpRequest, user: User) -> str:
    """Why the password that was typed proves nothing, or ""."""
    form, address = PasswordForm(request.POST), address_of(request)
    if not attempts.may_try(user.email, address):
        return _("Too many attempts. Wait a quarter of an hour.")
    if not form.is_valid() or not user.check_password(form.cleaned_data["password"]):
        record("confirmation.failed", f"person:{user.pk}")
        return _("This is not your password.")
    attempts.succeeded(user.email, address)
    return ""


def _keys_page(
    request: HttpRequest,
    customer: Customer,
    *,
    form: KeyForm | None = None,
    secret: str = "",
    made: ApiKey | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "keys": customer.api_keys.order_by("-created_at", "-pk"),
        "now": now(),
        "form": form or KeyForm(),
        "scopes": SCOPES,
        "lives": LIVES,
        "secret": secret,
        "made": made,
    }
    return render(request, "accounts/keys.html", context, status=status)


def _budget_text(customer: Customer | None) -> str:
    """The customer's budget as its field shows it."""
    if customer is None or not customer.budget_minor:
        return ""
    places = get_currency_precision(customer.currency)
    return f"{Decimal(customer.budget_minor).scaleb(-places):.{places}f}"


def _owned(request: HttpRequest) -> Customer:
    """The page's customer, whose owner the reader must be."""
    customer = current_customer(request)
    require_role(request.user, customer, OWNERS)
    return customer


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - login_required let nobody else in
    return request.user
