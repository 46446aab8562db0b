"""A browser's side of a live socket in tests: the real routing, sessions and origins, without a network."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from billingsite.asgi import application

OWN_PAGE = "http://localhost"


def communicator(path: str, client: Client | None = None, origin: str = OWN_PAGE) -> WebsocketCommunicator:
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items()) if client else ""
    headers = [(b"origin", origin.encode()), (b"host", b"localhost"), (b"cookie", cookies.encode())]
    return WebsocketCommunicator(cast(Any, application), path, headers=headers)


async def refusal(path: str, client: Client | None = None, origin: str = OWN_PAGE) -> int | None:
    """The code with which a socket is refused; None where it opens."""
    socket = communicator(path, client, origin)
    opened, code = await socket.connect(timeout=5)
    await socket.disconnect()
    return None if opened else int(code or 0)


@contextlib.asynccontextmanager
async def opened(path: str, client: Client) -> AsyncIterator[WebsocketCommunicator]:
    socket = communicator(path, client)
    is_open, _ = await socket.connect(timeout=5)
    assert is_open
    try:
        yield socket
    finally:
        await socket.disconnect()


async def close_code(socket: WebsocketCommunicator, within_s: float = 5) -> int:
    """Wait for the server to close the socket, whatever it sends before."""
    while True:
        event = await socket.receive_output(timeout=within_s)
        if event["type"] == "websocket.close":
            return int(event["code"])


in_database = database_sync_to_async
