"""What time it is: by this machine's clock or, where that is plainly wrong, by the server's, which decides what counts when.

The server's time is known from its answers, and between them from a clock that nobody can set.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

AGREE_MS = 5_000  # Up to there both are right: answers say the second only, and take a while.
SAME_MS = 2_000
KEPT = "server_time"

log = logging.getLogger("agent")


class Memory(Protocol):
    """Where the time is kept across restarts: the spool."""

    def remember(self, name: str, value: str) -> None: ...
    def recall(self, name: str) -> str | None: ...


def steady_ms() -> int:
    """Milliseconds since boot, those asleep included where the system counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return time.monotonic_ns() // 1_000_000


class ServerTime:
    """`wall_ns` is the time to stamp samples and requests with. `ahead_ms` is how far this machine's clock is off."""

    def __init__(self, own_ns: Callable[[], int] = time.time_ns, steady: Callable[[], int] = steady_ms) -> None:
        self.own_ns = own_ns
        self._steady = steady
        self._server_ms: int | None = None  # The server's time less the steady clock's.
        self._first = False
        self._memory: Memory | None = None
        self._boot = ""

    def keep_in(self, memory: Memory, boot: str) -> None:
        """Go on from what an earlier process of the same boot knew, and keep what will be learnt."""
        self._memory, self._boot = memory, boot
        with suppress(ValueError, TypeError):
            known_in, server_ms = json.loads(memory.recall(KEPT) or "null")
            if boot and known_in == boot:
                self._server_ms = int(server_ms)

    def learn(self, server_ms: int) -> None:
        """The server has just said what time it is, to the second."""
        offset_ms, before = server_ms - self._steady(), self._server_ms
        if before is not None and abs(offset_ms - before) <= SAME_MS:
            return
        self._server_ms = offset_ms
        self._first = before is None
        if (ahead_ms := self.ahead_ms()) and self._boot:
            log.warning("this machine's clock is %+.0f s from the server's: samples carry the server's time", ahead_ms / 1000)
        self._keep(json.dumps([self._boot, offset_ms]))

    def wall_ns(self) -> int:
        return self.own_ns() - self.ahead_ms() * 1_000_000

    def wall_ms(self) -> int:
        return self.wall_ns() // 1_000_000

    def ahead_ms(self) -> int:
        """This machine's clock less the server's; 0 where they agree or the server's is not known."""
        if self._server_ms is None:
            return 0
        ahead_ms = self.own_ns() // 1_000_000 - (self._server_ms + self._steady())
        return ahead_ms if abs(ahead_ms) > AGREE_MS else 0

    def told_ahead_ms(self) -> int | None:
        """The same for people: None as long as the server has not been heard."""
        return None if self._server_ms is None else self.ahead_ms()

    def just_learnt(self) -> bool:
        """Whether the server's time has become known since this was last asked: what was stamped before may be wrong."""
        first, self._first = self._first, False
        return first

    def _keep(self, value: str) -> None:
        if self._memory is not None and (self._memory.recall(KEPT) or "") != value:
            with suppress(sqlite3.OperationalError):  # The disk is full: then a restart has to ask first.
                self._memory.remember(KEPT, value)
