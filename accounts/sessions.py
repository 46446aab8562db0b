"""The browsers that somebody is signed in with: how long they live, what was last seen of them, and how to end one."""

import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

from accounts import wall
from accounts.audit import record
from accounts.models import SignedInSession, User
from accounts.whence import address_of

BEGAN, SEEN, PROVED = "began", "seen", "proved"  # Epoch seconds, in the session itself.
NOTED_EVERY_S = 300
FRESH_S = 15 * 60
POLLS = (".json",)  # A page left open asks for these by itself, which is no use of it.


def is_over(session: SessionBase, at: float) -> bool:
    """Whether a session has lived too long, or has been idle too long. One from before these limits counts from now on."""
    began, seen = session.get(BEGAN, at), session.get(SEEN, at)
    return bool(at - began >= settings.SESSION_HOURS * 3600 or at - seen >= settings.SESSION_IDLE_MINUTES * 60)


def is_fresh(session: SessionBase, at: float) -> bool:
    """Whether the password was shown in the last quarter of an hour."""
    return at - float(session.get(PROVED, 0)) < FRESH_S


def prove(session: SessionBase) -> None:
    """The password has just been shown."""
    session[PROVED] = time.time()


def note(request: HttpRequest, at: float) -> None:
    """Keep that the session is in use, every five minutes: a write for every page would queue behind the ingest."""
    if at - request.session.get(SEEN, 0) >= NOTED_EVERY_S and not request.path.endswith(POLLS):
        request.session[SEEN] = at
        request.session.setdefault(BEGAN, at)
        seen_at = datetime.fromtimestamp(at, UTC)
        SignedInSession.objects.filter(session_key=request.session.session_key).update(seen_at=seen_at)


def others(user: User, current_key: str | None) -> list[SignedInSession]:
    """The living sessions of a person, newest use first."""
    living = Session.objects.filter(expire_date__gt=datetime.now(UTC)).values("session_key")
    rows = SignedInSession.objects.filter(user=user, session_key__in=living).order_by("-seen_at")
    return sorted(rows, key=lambda row: row.session_key != current_key)


@transaction.atomic
def end(user: User, pk: int) -> bool:
    """End one of a person's sessions; its sockets close within seconds. Return whether there was one."""
    row = SignedInSession.objects.filter(user=user, pk=pk).first()
    if row is None:
        return False
    Session.objects.filter(session_key=row.session_key).delete()
    row.delete()
    record("session.ended", f"session:{pk}", after={"browser": row.browser, "address": row.address})
    return True


def forget_ended() -> None:
    """Delete what is left of sessions whose time is over."""
    SessionStore.clear_expired()
    SignedInSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()


def _began(sender: Any, request: HttpRequest | None, user: Any, **more: Any) -> None:
    """Somebody signed in, by whichever door. Django's signal is the one place that all of them pass."""
    if request is None or not hasattr(request, "session"):
        return
    wall.shown("person", user.pk)
    session = request.session
    if not session.session_key:
        session.create()
    session[BEGAN] = session[SEEN] = session[PROVED] = time.time()
    SignedInSession.objects.update_or_create(
        session_key=session.session_key,
        defaults={"user": user, "address": address_of(request), "browser": request.headers.get("User-Agent", "")[:200]},
    )
    record("signed-in", f"person:{user.pk}", actor=user)


def _ended(sender: Any, request: HttpRequest | None, user: Any, **more: Any) -> None:
    if request is not None and user is not None:
        SignedInSession.objects.filter(session_key=request.session.session_key or "").delete()
        record("signed-out", f"person:{user.pk}", actor=user)


def listen() -> None:
    """Called once at the start."""
    user_logged_in.connect(_began, dispatch_uid="session-began")
    user_logged_out.connect(_ended, dispatch_uid="session-ended")
