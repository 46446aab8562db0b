"""WebSockets that open only for those who may see what they carry, and close soon after they no longer may."""

import asyncio
import contextlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast
from urllib.parse import parse_qs

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.http import Http404

from accounts.access import customer_or_404, may_see_fleet
from accounts.models import Customer, User

NOT_SIGNED_IN = 4401
NOT_YOURS = 4404
CHATTER = 4400
RECHECK_S = 4.0


class GuardedSocket(AsyncJsonWebsocketConsumer):
    """Pushes only. The session and the right to see are checked before the socket opens and every few seconds after.

    A subclass says who may see it (`may_see`) and which channel group it listens to (`group_of`).
    """

    recheck_s = RECHECK_S
    group: str | None = None
    watch: asyncio.Task[None] | None = None

    async def may_see(self, user: User) -> bool:
        """Whether this user may see what the socket carries."""
        raise NotImplementedError

    def group_of(self) -> str:
        """The channel group to listen to, once `may_see` has said yes."""
        raise NotImplementedError

    async def connect(self) -> None:
        if refusal := await self._refusal(self.scope["user"]):
            await self.close(refusal)
            return
        self.group = self.group_of()
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        self.watch = asyncio.create_task(self._keep_checking())

    async def disconnect(self, code: int) -> None:
        if self.watch:
            self.watch.cancel()
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Nothing is asked over these sockets, so whoever talks is no client of ours."""
        await self.close(CHATTER)

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(self.recheck_s)
            if refusal := await self._refusal(await self._user_now()):
                await self.close(refusal)
                return

    async def _refusal(self, user: object) -> int | None:
        """The close code for someone who may not see this, None for someone who may."""
        if not isinstance(user, User) or not user.is_authenticated or not user.is_active:
            return NOT_SIGNED_IN
        return None if await self.may_see(user) else NOT_YOURS

    async def _user_now(self) -> object:
        """Whom the session names at this moment: nobody after a sign-out, even one in another window."""
        scope: Any = self.scope
        store = import_module(settings.SESSION_ENGINE).SessionStore
        return await get_user(cast(Any, {"session": store(scope["session"].session_key)}))


class CustomerSocket(GuardedSocket):
    """A guarded socket about one customer, named by `?customer=CODE`; for its members only."""

    customer: Customer

    async def may_see(self, user: User) -> bool:
        code = query_of(self.scope).get("customer")
        if not code:  # "My first customer" could be another one after the next check.
            return False
        with contextlib.suppress(Http404):
            self.customer = await database_sync_to_async(customer_or_404)(user, code)
            return True
        return False

    def group_of(self) -> str:
        raise NotImplementedError


class FleetGuardedSocket(GuardedSocket):
    """A guarded socket about all customers; for staff only."""

    async def may_see(self, user: User) -> bool:
        return may_see_fleet(user)

    def group_of(self) -> str:
        raise NotImplementedError


class NoSuchSocket(AsyncJsonWebsocketConsumer):
    """Whatever address is not there."""

    async def connect(self) -> None:
        await self.close(NOT_YOURS)


def query_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The query string of a socket's address; of a repeated name the last one counts."""
    return {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
