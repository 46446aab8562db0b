"""A process that is many browsers' sockets: `python -m benchmarks.listeners ADDRESS SOCKETS SLOW`, customers on its input.

SLOW of them open a socket too and never read. Prints how long after its due time each reader got each point.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from websockets import Origin
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.facts import spread

AT_ONCE = 20


async def main(address: str, sockets: int, slow: int) -> None:
    people = [(customer["code"], cookie) for customer in json.loads(sys.stdin.readline()) for cookie in customer["cookies"]]
    began = time.monotonic()
    readers = await _open_all(address, [people[number % len(people)] for number in range(sockets)])
    deaf = [await _open(address, *people[number % len(people)], deaf=True) for number in range(slow)]
    late_ms: list[int] = []
    lost = asyncio.gather(*(_read(reader, late_ms) for reader in readers))
    print(json.dumps({"opened_s": round(time.monotonic() - began, 1)}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for reader in readers:
        await reader.close()
    print(json.dumps({"late_ms": spread(late_ms), "lost": sum(await lost), "slow": len(deaf)}), flush=True)
    for one in deaf:
        one.transport.abort()


async def _open_all(address: str, whom: Sequence[tuple[str, str]]) -> list[ClientConnection]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(code: str, cookie: str) -> ClientConnection:
        async with gate:
            return await _open(address, code, cookie)

    return list(await asyncio.gather(*(one(*who) for who in whom)))


async def _open(address: str, code: str, cookie: str, *, deaf: bool = False) -> ClientConnection:
    host, port = address.removeprefix("http://").split(":")
    plug = socket.socket()
    if deaf:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plug.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plug, (host, int(port)))
    more: dict[str, Any] = {"max_queue": 1, "ping_interval": None} if deaf else {"ping_interval": None}
    return await connect(
        f"ws://{host}:{port}/ws/usage/?customer={code}",
        sock=plug,
        origin=Origin(address),
        additional_headers={"Cookie": cookie},
        open_timeout=60,
        **more,
    )


async def _read(reader: ClientConnection, late_ms: list[int]) -> bool:
    """Note how late each point is. Return whether the server closed the socket."""
    try:
        while True:
            text = await reader.recv()
            now_ms = time.time_ns() // 1_000_000
            late_ms.extend(now_ms - point["t"] for point in json.loads(text)["points"])
    except ConnectionClosed as closed:
        return closed.rcvd_then_sent is not False


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
