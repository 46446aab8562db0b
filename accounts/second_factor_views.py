"""The pages of the second factor: the code after the password, and making or removing one."""

from urllib.parse import quote

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import attempts, passkeys, second_factor
from accounts.audit import record
from accounts.current import way_on
from accounts.models import User
from accounts.whence import address_of

SECRET = "second-factor-new"  # noqa: S105 - the name in the session of a secret that is shown until it is confirmed


@never_cache
@sensitive_post_parameters("code")
def code(request: HttpRequest) -> HttpResponse:
    """The code of whoever has just shown the password. Guesses are counted with those at the password."""
    user = second_factor.asked(request)
    if user is None:
        return redirect("sign-in")
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    problem = ""
    if request.method == "POST":
        if not attempts.may_try(f"code {user.pk}", address_of(request)):
            problem = _("Too many attempts. Wait a quarter of an hour.")
        elif second_factor.spend(user, request.POST.get("code", "")):
            attempts.succeeded(f"code {user.pk}", address_of(request))
            return _in(request, user, wanted)
        else:
            record("second-factor.failed", f"person:{user.pk}")
            problem = _("This code is wrong, or was used.")
    context = {
        "next": wanted,
        "problem": problem,
        "has_codes": second_factor.has_codes(user),
        "origin": passkeys.origin(),
        "passkeys_work": passkeys.usable_at(request),
    }
    return render(request, "accounts/code.html", context, status=400 if problem else 200)


def _in(request: HttpRequest, user: User, wanted: str) -> HttpResponse:
    request.session.pop(second_factor.PENDING, None)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect(way_on(request, user, wanted))


@login_required
@never_cache
@sensitive_post_parameters("code")
def two_step(request: HttpRequest) -> HttpResponse:
    """Make a second factor: the secret once, then its first code, then the paper codes once."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - login_required let nobody else in
    if second_factor.has_codes(user) and "new" not in request.GET:
        return render(request, "accounts/two_step.html", {"has": True})
    problem = ""
    if request.method == "POST":
        paper = second_factor.confirm(user, request.POST.get("code", "").replace(" ", ""))
        if paper is not None:
            request.session.pop(SECRET, None)
            return render(request, "accounts/two_step.html", {"paper": paper})
        problem = _("This is not the code of now. Is the telephone's clock right?")
    secret = request.session.get(SECRET) if request.method == "POST" else None
    request.session[SECRET] = secret = secret or second_factor.begin(user)
    link = f"otpauth://totp/Corehour:{quote(user.email)}?secret={secret}&issuer=Corehour"
    spaced = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    context = {"secret": spaced, "link": link, "problem": problem}
    return render(request, "accounts/two_step.html", context, status=400 if problem else 200)


@require_POST
@login_required
def two_step_remove(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)  # noqa: S101 - login_required let nobody else in
    try:
        second_factor.remove(request.user)
        messages.success(request, _("Signing in asks for no code any more."))
    except second_factor.Last:
        messages.error(request, _("Staff keep at least one second factor. Add another one first."))
    return redirect("settings")
