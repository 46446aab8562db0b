"""The door: sign in, sign out, and the page of an error."""

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.access import may_see_fleet, visible_customers
from accounts.models import User
from accounts.problems import server_problem


class SignInForm(AuthenticationForm):
    """E-mail and password. One sentence for every failure, so that nobody learns who has an account."""

    error_messages = {"invalid_login": "This e-mail and password do not belong together."}
    username = forms.EmailField(max_length=254)


class SignIn(LoginView):
    """Members go to the page they came for, staff without a customer to the administration."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101 - this is asked after signing in
        if may_see_fleet(user) and not visible_customers(user).exists():
            return reverse("admin:index")
        return reverse("overview")


class SignOut(LogoutView):
    """By POST only, so that no link can do it."""


def server_error(request: HttpRequest) -> HttpResponse:
    """A page that asks nothing of the database, with the name under which the log keeps the error."""
    if request.path.startswith("/api/"):
        return server_problem(request)
    context = {"request_id": request.META.get("REQUEST_ID", ""), "path": request.get_full_path()}
    return HttpResponse(render_to_string("500.html", context), status=500)  # No request: no context processor runs.
