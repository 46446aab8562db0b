"""What the chaos benchmark does to the workers and to the database, and how far these have got meanwhile."""

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.programs import BenchmarkError
from tests.nursery import Nursery
from tests.postgres import Server

SESSION_MS = 2_000
SHORT_S, LONG_S = (0.05, 0.6), (2.5, 4.0)  # A long stop outlasts the session: the worker comes back as a zombie.
POSITION = "SELECT coalesce(sum(next_offset), 0) FROM usage_ingestoffset"


@dataclass
class Slot:
    """A worker's place: whoever falls is replaced. A named one is a static member of the group."""

    name: str
    pid: int = 0
    goes_on_at: float = 0.0


class Violence:
    """Workers, and what is done to them. `done` counts it."""

    def __init__(self, nursery: Nursery, url: str, server: Server | None, folder: Path, chance: random.Random) -> None:
        self.nursery = nursery
        self.url = url
        self.server = server
        self.notes = folder / "generations"
        self.chance = chance
        self.done: Counter[str] = Counter()
        self.falls: list[str] = []
        self.slots = [Slot("one"), Slot("two"), Slot(""), Slot("")]
        for slot in self.slots:
            self._start(slot)

    def act(self, kind: str) -> None:
        """Do one thing to a worker that runs, or to the database."""
        self.look_after()
        awake = [slot for slot in self.slots if not slot.goes_on_at]
        slot = self.chance.choice(awake or self.slots)
        if kind == "crash":
            self._crash()
        elif kind in {"stop", "long stop"}:
            os.kill(slot.pid, signal.SIGSTOP)
            slot.goes_on_at = time.monotonic() + self.chance.uniform(*(SHORT_S if kind == "stop" else LONG_S))
        else:
            self._end(slot, signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            self._start(slot)
        self.done[kind] += 1

    def look_after(self) -> None:
        """Continue whom it is time for, and replace who fell without being pushed."""
        for slot in self.slots:
            if slot.goes_on_at and time.monotonic() >= slot.goes_on_at:
                os.kill(slot.pid, signal.SIGCONT)
                slot.goes_on_at = 0.0
            if (code := self.nursery.code(slot.pid)) is not None:
                self._fell(code)
                self._start(slot)

    def rebalances(self) -> int:
        """How many generations the group has had."""
        return len(set(self.notes.read_text().split())) if self.notes.exists() else 0

    def position(self) -> int | None:
        """The sum of the stored offsets; None while the database is away."""
        try:
            if self.server is None:
                name = self.url.removeprefix("sqlite:///")
                connection = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=10)
                try:
                    return int(connection.execute(POSITION).fetchone()[0])
                finally:
                    connection.close()
            with psycopg.connect(self.url, connect_timeout=5) as postgres:
                row = postgres.execute(POSITION).fetchone()
                return int(row[0]) if row else None
        except (psycopg.OperationalError, sqlite3.OperationalError):
            return None

    def await_progress(self, since: int | None, within_s: float) -> int | None:
        """Wait until the position has moved, a few seconds at most. Return it."""
        deadline = time.monotonic() + within_s
        while (now := self.position()) is None or (since is not None and now <= since):
            if time.monotonic() > deadline:
                break
            self.look_after()
            time.sleep(0.02)
        return now

    def await_end(self, messages: int, stall_s: float) -> None:
        """Wait until as many messages are stored. Raise BenchmarkError where nothing moves for so long."""
        moved, last = time.monotonic(), self.position()
        while (now := self.position()) != messages:
            if now != last:
                moved, last = time.monotonic(), now
            if time.monotonic() - moved > stall_s:
                raise BenchmarkError(f"{now} of {messages} messages after {stall_s:.0f} s without a move. {self.nursery.said()}")
            self.look_after()
            time.sleep(0.05)

    def end(self) -> None:
        """Ask every worker to stop."""
        for slot in self.slots:
            os.kill(slot.pid, signal.SIGCONT)
            self._end(slot, signal.SIGTERM)

    def _start(self, slot: Slot) -> None:
        named = ["--instance", slot.name] if slot.name else []
        slot.goes_on_at = 0.0
        slot.pid = self.nursery.start(
            "consume", options=["--max-records", "500", *named], group="chaos", generations=str(self.notes)
        )

    def _end(self, slot: Slot, number: signal.Signals) -> None:
        os.kill(slot.pid, number)
        if slot.goes_on_at and number != signal.SIGKILL:
            os.kill(slot.pid, signal.SIGCONT)
        code = self.nursery.wait(slot.pid, 60)
        if number == signal.SIGTERM and code not in {0, -signal.SIGTERM}:  # Just forked, it listens to nobody yet.
            self._fell(code)

    def _fell(self, code: int) -> None:
        self.falls.append(f"a worker fell by itself with exit code {code}: {self.nursery.said(500)}")

    def _crash(self) -> None:
        assert self.server is not None
        self.server.crash()
        time.sleep(self.chance.uniform(0.0, 1.0))
        self.server.start()
