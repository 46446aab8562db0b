"""Who watches a chart: a real WebSocket client on the real site, noting when each point arrives."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator

from websockets import Origin
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from benchmarks.programs import BenchmarkError

OPEN_WITHIN_S = 40.0


class Viewer:
    """One open socket. `seen` maps (machine, end of the sample) to the time of arrival, both in epoch ms."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._arrived: list[tuple[int, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                text = str(self._socket.recv())
                self._arrived.append((time.time_ns() // 1_000_000, text))

    def seen(self) -> dict[tuple[str, int], int]:
        points = ((at, point) for at, text in list(self._arrived) for point in json.loads(text)["points"])
        return {(point["machine"], point["t"]): at for at, point in points}

    def close(self) -> None:
        self._socket.close()
        self._thread.join(timeout=5)


@contextlib.contextmanager
def viewer(site: str, cookie: str, customer: str) -> Iterator[Viewer]:
    """Open the customer's live socket, as soon as the site answers."""
    one = Viewer(_open(site, cookie, customer))
    try:
        yield one
    finally:
        one.close()


def _open(site: str, cookie: str, customer: str) -> ClientConnection:
    address = f"ws{site.removeprefix('http')}/ws/usage/?customer={customer}"
    deadline = time.monotonic() + OPEN_WITHIN_S
    while True:
        try:
            return connect(address, origin=Origin(site), additional_headers={"Cookie": cookie}, proxy=None)
        except (OSError, WebSocketException) as error:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"The live socket of {site} does not open: {error}") from error
        time.sleep(0.1)
