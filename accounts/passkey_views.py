"""Passkeys in the portal: a way in beside the password, a way to confirm that it is you, and their list in the settings."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts import attempts, passkeys, second_factor, sessions
from accounts.audit import record
from accounts.current import way_on
from accounts.models import Passkey, User
from accounts.settings_forms import PasskeyForm
from accounts.whence import address_of


@require_POST
@never_cache
def challenge(request: HttpRequest) -> HttpResponse:
    """What the browser needs to show a passkey; the same for everybody, whoever has one."""
    if not attempts.may_begin(address_of(request)):
        return JsonResponse({}, status=429)
    return JsonResponse(passkeys.ask(request.session))


@require_POST
@never_cache
@sensitive_post_parameters("credential")
def sign_in(request: HttpRequest) -> HttpResponse:
    """A passkey instead of the password, or after it: either way it was two factors."""
    wanted = request.POST.get("next", "")
    row = _shown(request)
    if row is None:
        return redirect(f"{reverse('sign-in')}?{urlencode({'next': wanted})}")
    request.session.pop(second_factor.PENDING, None)
    login(request, row.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    record("passkey.used", f"passkey:{row.pk}")
    return redirect(way_on(request, row.user, wanted))


@require_POST
@login_required
@never_cache
@sensitive_post_parameters("credential")
def confirm(request: HttpRequest) -> HttpResponse:
    """One of the person's own passkeys proves that they are still there."""
    user, wanted = _person(request), request.POST.get("next", "")
    row = _shown(request, user)
    if row is None:
        return redirect(f"{reverse('confirm')}?{urlencode({'next': wanted})}")
    sessions.prove(request.session)
    record("passkey.used", f"passkey:{row.pk}")
    return redirect(way_on(request, user, wanted))


@require_safe
@login_required
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """The person's passkeys, and the form that makes one."""
    context = {"passkeys": _person(request).passkeys.all(), "usable": passkeys.usable_at(request), "origin": passkeys.origin()}
    return render(request, "accounts/passkeys.html", context)


@require_POST
@login_required
@never_cache
def options(request: HttpRequest) -> HttpResponse:
    """What the browser needs to make a passkey."""
    return JsonResponse(passkeys.invite(request.session, _person(request)))


@require_POST
@login_required
@sensitive_post_parameters("credential")
def new(request: HttpRequest) -> HttpResponse:
    """Keep the passkey that the browser has made."""
    user, form = _person(request), PasskeyForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the passkey a name."))
        return redirect("passkeys")
    try:
        passkeys.add(request.session, user, request.POST.get("credential", ""), form.cleaned_data["name"])
        messages.success(request, _("The passkey is added. It signs you in without a password."))
    except passkeys.Refused as refusal:
        record("passkey.refused", f"person:{user.pk}", after={"why": str(refusal)[:200]})
        messages.error(request, _("The passkey was not added. Try again."))
    return redirect("passkeys")


@require_POST
@login_required
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    form = PasskeyForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the passkey a name."))
    elif not passkeys.rename(_person(request), pk, form.cleaned_data["name"]):
        raise Http404("No such passkey.")
    return redirect("passkeys")


@require_POST
@login_required
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        if not passkeys.remove(_person(request), pk):
            raise Http404("No such passkey.")
        messages.success(request, _("The passkey is removed and opens nothing any more."))
    except second_factor.Last:
        messages.error(request, _("Staff keep at least one second factor. Add another one first."))
    return redirect("passkeys")


def _shown(request: HttpRequest, user: User | None = None) -> Passkey | None:
    """The passkey that was shown, of this person if one is named. None, and a sentence on the next page, where that fails."""
    held = passkeys.CHALLENGE in request.session
    try:
        row = passkeys.shown(request.session, request.POST.get("credential", ""))
        if user is None or row.user_id == user.pk:
            return row
        reason = "Another person's."
    except passkeys.Refused as refusal:
        reason = str(refusal)
    if held:  # Who never asked for a challenge does not get to fill the trail.
        record("passkey.refused", after={"why": reason[:200]})
    messages.error(request, _("This passkey was not accepted. Try again, or use your password."))
    return None


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - login_required let nobody else in
    return request.user
