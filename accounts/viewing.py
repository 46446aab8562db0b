"""Staff look at the portal as a customer's people see it: read only, for an hour at most, written into the audit trail."""

import time
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.access import may_see_fleet
from accounts.audit import record
from accounts.current import SESSION_KEY
from accounts.models import Customer, User

KEY = "viewing"  # In the session: the customer's number, and the epoch second at which it is over.
LONGEST_S = 3_600
NEEDED = ("accounts.view_customer", "usage.view_machine", "invoices.view_invoice")
SAFE = ("GET", "HEAD", "OPTIONS")
OPEN_DOORS = ("/admin/", "/sign-out/", "/viewing/")


def may_view(user: User | AnonymousUser) -> bool:
    """Whether somebody may look as a customer does: staff who may see all of it in the administration anyway."""
    return may_see_fleet(user) and user.has_perms(NEEDED)


def begin(request: HttpRequest, customer: Customer) -> None:
    """From now on the portal shows this customer. Raise PermissionDenied for whoever may not."""
    if not may_view(request.user):
        raise PermissionDenied("Only staff who may see customers, machines and invoices may view as a customer.")
    request.session[KEY] = [customer.pk, int(time.time()) + LONGEST_S]
    request.session[SESSION_KEY] = customer.code
    record("viewing.began", f"customer:{customer.pk}", customer_pk=customer.pk)


def end(request: HttpRequest) -> None:
    """The portal is the person's own again."""
    viewed = request.session.pop(KEY, None)
    request.session.pop(SESSION_KEY, None)
    if viewed:
        record("viewing.ended", f"customer:{viewed[0]}", customer_pk=viewed[0])


def viewed_in(session: Mapping[str, Any], user: User | AnonymousUser) -> int | None:
    """The number of the customer that somebody views as in a session, while they still may."""
    viewed = session.get(KEY)
    return int(viewed[0]) if viewed and time.time() < viewed[1] and may_view(user) else None


class Viewing:
    """Middleware: tell the access rule whom somebody views as, and let nothing be changed meanwhile."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.session.get(KEY) and request.user.is_authenticated:
            viewed = viewed_in(request.session, request.user)
            if viewed is None:
                end(request)
            else:
                request.user.viewing = viewed  # Read by accounts/access.py.
        answer: HttpResponseBase = self.get_response(request)
        return answer

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Raise PermissionDenied, which becomes a page only here, where something would be changed."""
        looking = getattr(request.user, "viewing", None)
        if looking and request.method not in SAFE and not request.path.startswith(OPEN_DOORS):
            raise PermissionDenied("While you view as a customer, nothing can be changed.")


@require_POST
@login_required
def viewing_end(request: HttpRequest) -> HttpResponse:
    """Back to the administration."""
    end(request)
    return redirect("admin:accounts_customer_changelist")
