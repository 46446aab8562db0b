"""Who is asking, from where: known to whatever runs on behalf of a request, however deep, without being handed down."""

import ipaddress
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.http import HttpRequest

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


class Whence:
    """Middleware: remember the request for as long as it is answered."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


def current_request() -> HttpRequest | None:
    """The request that this code runs for; None in a command, a task or a test."""
    return _request.get()


def actor_name(bearer: Any) -> str:
    """How the audit trail names somebody: by number, so that nothing personal stays when a person is erased."""
    if not getattr(bearer, "is_authenticated", False):
        return "nobody"
    pk = str(bearer.pk)
    return pk.replace("-", ":") if pk.startswith(("key-", "machine-")) else f"person:{pk}"


def address_of(request: HttpRequest) -> str:
    """The asker's address. Of X-Forwarded-For only what our own proxies wrote counts: the TRUSTED_PROXIES-th from the end."""
    told = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    trusted = settings.TRUSTED_PROXIES
    address = told[-trusted] if trusted and len(told) >= trusted else str(request.META.get("REMOTE_ADDR", ""))
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""
