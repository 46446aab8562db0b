"""Whether those who listen still may: one look at sessions, people and memberships for all open sockets of a process.

A look for each socket would cost thousands of queries a second where thousands watch; this costs three for every five hundred.
"""

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare
from django.utils.timezone import now

from accounts import wall
from accounts.access import may_see_fleet, seen_by
from accounts.models import User
from accounts.viewing import viewed_in

log = logging.getLogger(__name__)
NOT_SIGNED_IN = 4401
NOT_YOURS = 4404
AT_ONCE = 500
Item = TypeVar("Item")


class Ticket(NamedTuple):
    """What a socket was opened with: a session, and the customer it carries; None for the fleet."""

    session_key: str
    customer_pk: int | None


class Listener(NamedTuple):
    """Who is signed in by a session, and the customer that they view as there."""

    user: User
    viewing: int | None


class Watched(Protocol):
    """An open socket."""

    recheck_s: float
    ticket: Ticket
    user_pk: int

    def end(self, code: int) -> None: ...


class Watch:
    """The open sockets of one event loop. Every few seconds those whose right has ended are closed."""

    def __init__(self) -> None:
        self._open: set[Watched] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: Watched) -> None:
        """Look after a socket from now on."""
        self._open.add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def remove(self, socket: Watched) -> None:
        """Forget a socket that was closed."""
        self._open.discard(socket)
        if not self._open and self._task:
            self._task.cancel()
            self._task = None

    def open_of(self, user_pk: int) -> int:
        """How many sockets a person has open here."""
        return sum(socket.user_pk == user_pk for socket in self._open)

    async def _run(self) -> None:
        wall.asks("watch")  # For everybody's sockets: it looks at who is a member of what, and at no other customer's row.
        while self._open:
            await asyncio.sleep(min(socket.recheck_s for socket in self._open))
            try:
                ended = await database_sync_to_async(refusals)({socket.ticket for socket in self._open})
            except Exception:  # A database that is away ends no right; the next look is seconds away.
                log.exception("Open sockets could not be checked")
                continue
            for socket in [socket for socket in self._open if socket.ticket in ended]:
                self._open.discard(socket)
                socket.end(ended[socket.ticket])


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()


def watch() -> Watch:
    """The watch of the running event loop."""
    return _watches.setdefault(asyncio.get_running_loop(), Watch())


def refusals(tickets: Collection[Ticket]) -> dict[Ticket, int]:
    """Return the close code of each ticket whose session ended or whose person may no longer see what it is for."""
    ended = {}
    for some in _parts(tickets):
        listeners = _signed_in({ticket.session_key for ticket in some})
        seen = seen_by({listener.user.pk for listener in listeners.values()})
        for ticket in some:
            listener = listeners.get(ticket.session_key)
            if listener is None:
                ended[ticket] = NOT_SIGNED_IN
            elif not _may_hear(listener, ticket.customer_pk, seen):
                ended[ticket] = NOT_YOURS
    return ended


def _may_hear(listener: Listener, customer_pk: int | None, seen: Collection[tuple[int, int]]) -> bool:
    """The rule of `accounts.access.visible_customers`."""
    if customer_pk is None:
        return may_see_fleet(listener.user)
    return listener.viewing == customer_pk if listener.viewing else (listener.user.pk, customer_pk) in seen


def _signed_in(keys: Collection[str]) -> dict[str, Listener]:
    """Return the active person of each session that is neither over nor from before a change of password."""
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    rows = store.get_model_class().objects.filter(session_key__in=keys, expire_date__gt=now())
    sessions: dict[str, dict[str, Any]] = {row.session_key: row.get_decoded() for row in rows}
    pks = {session[SESSION_KEY] for session in sessions.values() if SESSION_KEY in session}
    people = {str(user.pk): user for user in User.objects.filter(pk__in=pks, is_active=True)}
    found = {key: people.get(session.get(SESSION_KEY, "")) for key, session in sessions.items()}
    return {
        key: Listener(user, viewed_in(sessions[key], user))
        for key, user in found.items()
        if user is not None and _is_theirs(sessions[key], user)
    }


def _is_theirs(session: Mapping[str, Any], user: User) -> bool:
    return constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())


def _parts(items: Collection[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, AT_ONCE)):
        yield some
