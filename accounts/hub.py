"""One listener for each channel group of a process, which hands what comes to all sockets that are open for it.

A channel for each socket would have the layer copy every message as often as people watch. Whoever reads slowly has a short
queue of their own; when it is full their socket is closed, and the page catches up when it opens the next one.
"""

import asyncio
import logging
import time
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

log = logging.getLogger(__name__)
REJOIN_S = 3_600.0  # A channel layer forgets a member of a group after a day.
LAYER_LOST = 1011


class Listener(Protocol):
    """An open socket."""

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event in, at once: everybody else is waiting."""

    def end(self, code: int) -> None:
        """Close the socket, soon."""


class Group:
    """The sockets of one event loop that listen to one channel group."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.listeners: set[Listener] = set()
        self._joined = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def joined(self) -> None:
        """Wait until whatever is sent to the group is heard. Raise what kept it from being so."""
        waiting = asyncio.create_task(self._joined.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._task

    async def leave(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        try:
            await self._listen(layer, channel)
        except Exception as error:
            log.warning("Live pushes are not heard (%s: %s); pages open their sockets anew", type(error).__name__, error)
            for listener in self.listeners:
                listener.end(LAYER_LOST)
            raise
        finally:
            await layer.group_discard(self.name, channel)

    async def _listen(self, layer: Any, channel: str) -> None:
        rejoin_at = 0.0
        while True:
            if time.monotonic() >= rejoin_at:
                await layer.group_add(self.name, channel)
                rejoin_at = time.monotonic() + REJOIN_S
                self._joined.set()
            try:
                async with asyncio.timeout(REJOIN_S):
                    event = await layer.receive(channel)
            except TimeoutError:
                continue
            for listener in list(self.listeners):
                listener.hear(event)

    @property
    def is_over(self) -> bool:
        """Whether it no longer listens, because the layer failed."""
        return self._task.done()


class Hub:
    """The groups that the sockets of one event loop listen to."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    async def join(self, name: str, listener: Listener) -> None:
        """Hand what is sent to a group to a socket, from now on."""
        group = self._groups.get(name)
        if group is None or group.is_over:
            group = self._groups[name] = Group(name)
        group.listeners.add(listener)
        await group.joined()

    async def leave(self, name: str, listener: Listener) -> None:
        """Hand no more to a socket; the last one of a group ends it."""
        group = self._groups.get(name)
        if group is None:
            return
        group.listeners.discard(listener)
        if not group.listeners:
            del self._groups[name]
            await group.leave()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
