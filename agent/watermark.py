"""The way back: the server says how far it has stored a stream; only that lets the spool forget. Without a server, age does."""

import logging
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.outbox import Outbox
from agent.server import Server, ServerProblem

POLL_S = 60.0
DAY_MS = 86_400_000
REFUSED_AFTER_MS = 35 * DAY_MS  # The server stores nothing older, so keeping it longer helps nobody.
STUCK_S = 15 * 60.0
LONGEST_STUCK_S = 86_400.0

log = logging.getLogger("agent")


class Source(Protocol):
    def __call__(self, machine: str, stream: str) -> int | None:
        """Everything below this seq is stored; None if that cannot be learnt now."""


class HttpWatermark:
    """GET {server}/api/v1/machines/{machine}/watermark?stream={stream} with a bearer key, answered by {"watermark": n}."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def __call__(self, machine: str, stream: str) -> int | None:
        try:
            return _watermark(self.server.get(f"/api/v1/machines/{urllib.parse.quote(machine)}/watermark", f"?stream={stream}"))
        except (ServerProblem, ValueError) as error:
            log.info("no watermark from %s: %s", self.server.address, error)
            return None


def _watermark(answer: object) -> int:
    watermark = answer.get("watermark") if isinstance(answer, dict) else None
    if not isinstance(watermark, int) or isinstance(watermark, bool) or watermark < 0:
        raise ValueError(f"not a watermark: {answer!r:.100}")
    return watermark


class Upkeep:
    """Once a minute and stream: learn the watermark, forget what is below, and send again what seems to have got lost."""

    def __init__(
        self, outbox: Outbox, source: Source | None, keep_days: int, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.outbox = outbox
        self.source = source
        self.keep_ms = REFUSED_AFTER_MS if source else keep_days * DAY_MS
        self._monotonic = monotonic
        self._moved_at = monotonic()
        self._patience_s = STUCK_S

    def step(self, now_ms: int) -> None:
        spool = self.outbox.spool
        if self.source and not spool.is_left():  # Between leaving a stream and beginning the next its watermark means nothing.
            self._learn(self.source(self.outbox.machine, spool.stream))
        spool.forget_before(now_ms - self.keep_ms)

    def _learn(self, watermark: int | None) -> None:
        if watermark is None:  # Not knowing is no sign of a loss.
            self._moved_at = self._monotonic()
            return
        position = self.outbox.spool.position()
        if watermark > position.next:
            self._leave(watermark, position.next)
            return
        if watermark > position.watermark:
            self.outbox.spool.forget_below(watermark)
        if watermark > position.watermark or watermark >= position.acknowledged:
            self._moved_at, self._patience_s = self._monotonic(), STUCK_S
        elif self._monotonic() - self._moved_at >= self._patience_s:
            self._send_again(watermark)

    def _leave(self, watermark: int, written: int) -> None:
        """The server has numbers that this spool never gave: somebody else sends, or sent, as this stream."""
        spool = self.outbox.spool
        log.error(
            "%s: the server has stream %s up to %d, this spool only wrote up to %d: it was rolled back or copied",
            self.outbox.machine, spool.stream, watermark, written,
        )  # fmt: skip
        spool.leave(spool.stream)

    def _send_again(self, watermark: int) -> None:
        """The broker had them, the server still has not: the topic may have been lost. Each time wait twice as long."""
        log.warning("%s: the server has had nothing new since %d: sending again from there", self.outbox.machine, watermark)
        self.outbox.send_again_from(watermark)
        self._moved_at, self._patience_s = self._monotonic(), min(LONGEST_STUCK_S, 2 * self._patience_s)


def run(upkeeps: Sequence[Upkeep], stopping: threading.Event) -> None:
    """The thread around it. It asks at once: a spool that is behind the server must know before it has caught up."""
    while not stopping.is_set():
        for upkeep in upkeeps:
            try:
                upkeep.step(time.time_ns() // 1_000_000)
            except Exception:  # A full disk, say; the next minute may be better.
                log.exception("upkeep of the spool failed")
        stopping.wait(POLL_S)
