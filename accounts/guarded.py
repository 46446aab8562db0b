"""WebSockets that open only for those who may see what they carry, and close soon after they no longer may."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.http import Http404

from accounts import wall
from accounts.access import customer_or_404, may_see_fleet
from accounts.hub import hub
from accounts.models import Customer, User
from accounts.viewing import viewed_in
from accounts.watch import NOT_SIGNED_IN, NOT_YOURS, Ticket, watch

CHATTER = 4400
TOO_MANY = 4429
TOO_SLOW = 4408
RECHECK_S = 4.0
PER_USER = 40  # A page has two, so twenty windows; the next one polls.
WAITING = 64  # Messages for one reader: half a minute of pushes. Whoever is further behind catches up in one request.


class GuardedSocket(AsyncJsonWebsocketConsumer):
    """Pushes only. The session and the right to see are checked before the socket opens and every few seconds after.

    A subclass says who may see it (`may_see`), which channel group it listens to (`group_of`), what it carries (`customer_pk`),
    and what it makes of an event (`hear`).
    """

    channel_layer_alias = "none"  # The hub listens for all sockets; a channel for each would cost a copy of every message.
    recheck_s = RECHECK_S
    per_user = PER_USER
    group: str | None = None
    ending: asyncio.Task[None] | None = None
    _sender: asyncio.Task[None] | None = None
    ticket: Ticket
    user_pk: int

    async def may_see(self, user: User) -> bool:
        """Whether this user may see what the socket carries."""
        raise NotImplementedError

    def group_of(self) -> str:
        """The channel group to listen to, once `may_see` has said yes."""
        raise NotImplementedError

    def customer_pk(self) -> int | None:
        """The customer that the socket carries; None for the whole fleet."""
        raise NotImplementedError

    async def connect(self) -> None:
        user: Any = self.scope["user"]
        if refusal := await self._refusal(user):
            await self.close(refusal)
            return
        self.ticket = Ticket(self._session_key(), self.customer_pk())
        self.user_pk = user.pk
        self.group = self.group_of()
        self._waiting: asyncio.Queue[str] = asyncio.Queue(WAITING)
        await hub().join(self.group, self)
        await self.accept()
        self._sender = asyncio.create_task(self._send_waiting())
        watch().add(self)

    async def disconnect(self, code: int) -> None:
        watch().remove(self)
        if self._sender:
            self._sender.cancel()
        if self.group:
            await hub().leave(self.group, self)

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of the group in, at once."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Let the browser have this as soon as it reads. One that does not read is no reason for others to wait."""
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.end(TOO_SLOW)

    def end(self, code: int) -> None:
        """Close the socket, soon."""
        if self.ending is None:
            self.ending = asyncio.create_task(self.close(code))

    async def _send_waiting(self) -> None:
        while True:
            await self.send(text_data=await self._waiting.get())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Nothing is asked over these sockets, so whoever talks is no client of ours."""
        await self.close(CHATTER)

    async def _refusal(self, user: object) -> int | None:
        """The close code for someone who may not see this, None for someone who may."""
        if not isinstance(user, User) or not user.is_authenticated or not user.is_active:
            return NOT_SIGNED_IN
        wall.asks("person", user.pk)
        if watch().open_of(user.pk) >= self.per_user:
            return TOO_MANY
        return None if await self.may_see(user) else NOT_YOURS

    def _session_key(self) -> str:
        scope: Any = self.scope
        return str(scope["session"].session_key)


class CustomerSocket(GuardedSocket):
    """A guarded socket about one customer, named by `?customer=CODE`; for its members, and for staff who view as it."""

    customer: Customer

    async def may_see(self, user: User) -> bool:
        code = query_of(self.scope).get("customer")
        if not code:  # "My first customer" could be another one after the next check.
            return False
        with contextlib.suppress(Http404):
            self.customer = await database_sync_to_async(self._visible)(user, code)
            return True
        return False

    def _visible(self, user: Any, code: str) -> Customer:
        """The customer, as the pages of the same session would find it. Raise Http404 for a foreign one."""
        scope: Any = self.scope
        user.viewing = viewed_in(scope["session"], user)
        return customer_or_404(user, code)

    def customer_pk(self) -> int:
        return int(self.customer.pk)

    def group_of(self) -> str:
        raise NotImplementedError


class FleetGuardedSocket(GuardedSocket):
    """A guarded socket about all customers; for staff only."""

    async def may_see(self, user: User) -> bool:
        return may_see_fleet(user)

    def customer_pk(self) -> None:
        return None

    def group_of(self) -> str:
        raise NotImplementedError


class NoSuchSocket(AsyncJsonWebsocketConsumer):
    """Whatever address is not there."""

    async def connect(self) -> None:
        await self.close(NOT_YOURS)


def query_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The query string of a socket's address; of a repeated name the last one counts."""
    return {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
