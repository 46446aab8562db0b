"""After the commit: the newest points go to whoever watches. Never in the way of ingest, and never a reason to fail it.

A thread with an event loop of its own talks to the channel layer, so a slow or absent Redis costs ingest nothing;
points that cannot be sent in time are dropped, because charts catch up from the database.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from channels.layers import get_channel_layer

from usage.classify import Decoded
from usage.wire import Row

log = logging.getLogger(__name__)
FLEET_GROUP = "usage.fleet"
FRESH_MS = 120_000  # What is older comes from a backlog: nobody watches it live.
STEP_MS = 1_000  # At most one point a second and machine.
SEND_TIMEOUT_S = 2.0
QUIET_S = 30.0

Point = dict[str, Any]


def customer_group(customer_pk: int) -> str:
    """The channel group of one customer's points."""
    return f"usage.customer.{customer_pk}"


def point(item: Decoded, row: Row) -> Point:
    """What a chart draws of one sample. Floats: pictures, never money."""
    assert item.message is not None  # noqa: S101 only accepted messages carry rows
    length = row.end_ms - row.start_ms
    return {
        "machine": item.message.machine,
        "t": row.end_ms,
        "cpu_percent": round(row.cpu_upct / 1e6, 3),
        "memory_percent": round(row.memory_upct / 1e6, 3),
        "cores": round(row.cpu_ms / length, 4) if length else None,
        "memory_mib": row.memory_mib_ms // length if length else None,
    }


class LivePush:
    """Collects points by customer and sends them from its own thread, at most once per `interval_s`."""

    def __init__(self, *, interval_s: float = 0.5) -> None:
        self.interval_s = interval_s
        self._points: dict[int, list[Point]] = {}
        self._last_t: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live-push", daemon=True)
        self._complained = -QUIET_S

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what is left, and stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=SEND_TIMEOUT_S * 2)

    def add(self, new: Iterable[tuple[Decoded, Sequence[Row]]], now_ms: int) -> None:
        """Take in stored rows; backlog and points closer than a second to the machine's last one are left out."""
        with self._lock:
            for item, rows in new:
                for row in rows:
                    if row.end_ms >= now_ms - FRESH_MS and row.end_ms >= self._due_ms(item):
                        self._take(item, row)

    def _due_ms(self, item: Decoded) -> int:
        assert item.message is not None  # noqa: S101
        return self._last_t.get(item.message.machine, 0) + STEP_MS

    def _take(self, item: Decoded, row: Row) -> None:
        assert item.message is not None  # noqa: S101
        self._last_t[item.message.machine] = row.end_ms
        self._points.setdefault(item.customer_pk, []).append(point(item, row))

    def _run(self) -> None:
        asyncio.run(self._loop())

    async def _loop(self) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(self.interval_s)
            await self._flush()
        await self._flush()

    async def _flush(self) -> None:
        with self._lock:
            batch, self._points = self._points, {}
        if not batch:
            return
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send(batch)
        except Exception as error:  # Whatever it is, ingest goes on.
            self._complain(error)

    async def _send(self, batch: dict[int, list[Point]]) -> None:
        layer = get_channel_layer()
        if layer is None:
            return
        for customer_pk, points in batch.items():
            await layer.group_send(customer_group(customer_pk), {"type": "usage.points", "points": points})
        everything = [one for points in batch.values() for one in points]
        await layer.group_send(FLEET_GROUP, {"type": "usage.points", "points": everything})

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._complained >= QUIET_S:
            self._complained = time.monotonic()
            log.warning("Live points are not sent (%s: %s); ingest goes on, charts catch up later", type(error).__name__, error)
