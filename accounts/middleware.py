"""What stands before every page: how long a session lives, and what asks for the password again."""

import time
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts import second_factor, sessions
from accounts.models import User

# Pages that move rates, money or keys: the password must have been shown lately. Staff and owners alike.
SENSITIVE = frozenset(
    {
        "two-step", "two-step-remove",
        "passkeys", "passkey-options", "passkey-new", "passkey-rename", "passkey-remove",
        "keys", "key-new", "key-rotate", "key-revoke",
        "webhooks", "webhook-new", "webhook", "webhook-change", "webhook-rotate", "webhook-remove",
        "admin:accounts_apikey_add", "admin:accounts_user_add", "admin:accounts_user_change",
        "admin:auth_user_password_change", "admin:invoices_planversion_publish", "admin:invoices_invoice_finalise",
        "admin:usage_machine_new_token", "admin:accounts_user_export_person", "admin:accounts_user_erase_person",
    }
)  # fmt: skip


# What staff reach before they have a second factor.
DOORS = frozenset(
    {
        "admin:logout", "code", "confirm", "password-change", "settings", "sign-in", "sign-out", "two-step", "healthz", "readyz",
        "passkeys", "passkey-options", "passkey-new", "passkey-challenge", "passkey-sign-in", "passkey-confirm",
    }
)  # fmt: skip


class SessionLimits:
    """A session ends when nobody used it for a while, and after some days whatever happens."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            if sessions.is_over(request.session, time.time()):
                logout(request)
            else:
                sessions.note(request, time.time())
        answer: HttpResponseBase = self.get_response(request)
        return answer

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        """Ask for the password before a sensitive page; what was typed there is typed again, which is rare enough."""
        match = request.resolver_match
        if match and match.view_name not in DOORS and isinstance(request.user, User) and second_factor.missing(request.user):
            return redirect("two-step")
        if match is None or match.view_name not in SENSITIVE or not isinstance(request.user, User):
            return None
        if sessions.is_fresh(request.session, time.time()):
            return None
        back = request.get_full_path() if request.method == "GET" else request.META.get("HTTP_REFERER", "/")
        return redirect(f"{reverse('confirm')}?{urlencode({'next': back})}")
