"""The portal's page about a machine's agent: its state and key, a token to enrol it, and what one may ask of it."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import visible_customers
from accounts.current import turn_to
from accounts.models import Membership
from usage import wishes
from usage.enrolment import EnrolmentRefused, create_token, revoke, withdraw_token
from usage.key_models import AgentState, AgentWish
from usage.models import Machine

MAY_ASK = (Membership.Role.OWNER,)


@require_safe
@never_cache
@login_required
def agent(request: HttpRequest, code: str) -> HttpResponse:
    """How the agent is, and what may be done about it."""
    return _page(request, _machine(request, code))


@require_POST
@login_required
def agent_token(request: HttpRequest, code: str) -> HttpResponse:
    """Make a token and show the command that uses it, this once."""
    machine = _owned(request, code)
    _, secret = create_token(machine, _user(request))
    return _page(request, machine, secret=secret)


@require_POST
@login_required
def agent_token_withdraw(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """End a token that nobody has used: it was sent to the wrong person, say."""
    machine = _owned(request, code)
    try:
        withdraw_token(get_object_or_404(machine.enrolment_tokens, pk=pk))
    except EnrolmentRefused as refused:
        return _page(request, machine, problem=str(refused), status=409)
    return redirect("machine-agent", code)


@require_POST
@login_required
def agent_wish(request: HttpRequest, code: str) -> HttpResponse:
    """Ask the agent for something; it answers within a minute or two."""
    machine = _owned(request, code)
    seconds = request.POST.get("seconds", "")
    try:
        wishes.ask(machine, _user(request), request.POST.get("kind", ""), int(seconds) if seconds.isdigit() else 0)
    except ValueError as error:
        return _page(request, machine, problem=str(error), status=400)
    return redirect("machine-agent", code)


@require_POST
@login_required
def agent_revoke(request: HttpRequest, code: str) -> HttpResponse:
    """End the machine's keys: from now on nothing that is signed with them counts."""
    machine = _owned(request, code)
    revoke(machine, _user(request))
    return redirect("machine-agent", code)


def _page(request: HttpRequest, machine: Machine, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "machine": machine,
        "customer": turn_to(request, machine.customer),
        "state": AgentState.objects.filter(machine=machine).first(),
        "word": wishes.agent_word(machine),
        "keys": list(machine.keys.all()[:10]),
        "tokens": list(machine.enrolment_tokens.open(now()).select_related("created_by")[:10]),
        "wish": wishes.pending(machine, now()),
        "asked": list(AgentWish.objects.filter(machine=machine).exclude(answered_at=None).select_related("asked_by")[:5]),
        "address": request.build_absolute_uri("/").rstrip("/"),
        **more,
    }
    response = render(request, "usage/agent.html", context, status=status)
    response["Cache-Control"] = "no-store"  # It may show a token.
    return response


def _machine(request: HttpRequest, code: str) -> Machine:
    """A machine that the reader may see. Raise Http404."""
    mine = Machine.objects.filter(customer__in=visible_customers(_user(request))).select_related("customer")
    return get_object_or_404(mine, code=code)


def _owned(request: HttpRequest, code: str) -> Machine:
    """A machine that the reader may change. Raise Http404 or PermissionDenied."""
    machine = _machine(request, code)
    if not Membership.objects.filter(user=_user(request), customer=machine.customer, role__in=MAY_ASK).exists():
        raise PermissionDenied(f"Only owners of {machine.customer} may do this.")
    return machine


def _user(request: HttpRequest) -> Any:
    return request.user
