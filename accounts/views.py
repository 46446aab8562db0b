"""The door: sign in, sign out, and the page of an error."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import attempts, passkeys, second_factor
from accounts.audit import record
from accounts.current import home_of
from accounts.models import User
from accounts.problems import server_problem
from accounts.whence import address_of


class SignInForm(AuthenticationForm):
    """E-mail and password. One sentence for every failure, so that nobody learns who has an account.

    The attempt is counted before the password is looked at. Too many read the same for an account that does not exist.
    """

    error_messages = {
        "invalid_login": _("This e-mail and password do not belong together."),
        "locked": _("Too many attempts. Wait a quarter of an hour, or ask for a new password."),
    }
    username = forms.EmailField(max_length=254)

    def clean(self) -> dict[str, Any]:
        email, address = str(self.cleaned_data.get("username") or ""), address_of(self.request) if self.request else ""
        if not attempts.may_try(email, address):
            record("sign-in.locked", f"email:{attempts.digest(email)[:16]}")
            raise ValidationError(self.error_messages["locked"], code="locked")
        cleaned: dict[str, Any] = super().clean()
        attempts.succeeded(email, address)
        return cleaned

    def get_invalid_login_error(self) -> ValidationError:
        record("sign-in.failed", f"email:{attempts.digest(str(self.cleaned_data.get('username')))[:16]}")
        return super().get_invalid_login_error()


class SignIn(LoginView):
    """Members go to the page they came for, staff without a customer to the administration."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Whoever has a second factor is not signed in yet."""
        user: Any = form.get_user()
        if not second_factor.needed(user):
            return super().form_valid(form)
        second_factor.ask(self.request, user)
        return redirect(f"{reverse('code')}?{urlencode({'next': self.get_redirect_url()})}")

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(passkeys_work=passkeys.usable_at(self.request), **more)

    def get_default_redirect_url(self) -> str:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101 - this is asked after signing in
        return home_of(user)


class SignOut(LogoutView):
    """By POST only, so that no link can do it."""


def server_error(request: HttpRequest) -> HttpResponse:
    """A page that asks nothing of the database, with the name under which the log keeps the error."""
    if request.path.startswith("/api/"):
        return server_problem(request)
    context = {"request_id": request.META.get("REQUEST_ID", ""), "path": request.get_full_path()}
    return HttpResponse(render_to_string("500.html", context), status=500)  # No request: no context processor runs.
