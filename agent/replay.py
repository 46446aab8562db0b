"""Recorded machines onto the topic: their history once, then sample by sample with the clock, all in one delivery loop."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agent.config import ConfigError
from agent.delivery import Delivery, Outgoing
from agent.lock import Lock
from agent.modes import Gate, Mode
from agent.outbox import Lane, Outbox
from agent.publisher import Publisher
from agent.recorded import Recorded
from agent.spool import Spool
from agent.wire import Envelope, Message, Numbered, encode_reading, envelopes

HISTORY_BATCH = 2_000
READINGS_BATCH = 2_000
CATCH_UP_STEP_MS = 300_000
TIDY_EVERY_S = 60.0

log = logging.getLogger("agent")


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end) in samples of `step_ms`."""

    start_ms: int
    end_ms: int
    step_ms: int


class History:
    """An outbox that needs no spool: what is not acknowledged is computed and sent again, under the same identity."""

    def __init__(self, machine: Recorded, span: Span, on_done: Callable[[], None] | None = None) -> None:
        self.machine = machine
        self.span = span
        self.stream = machine.history_stream(span.start_ms, span.end_ms, span.step_ms)
        self.total = -(-(span.end_ms - span.start_ms) // span.step_ms)
        self._lane = Lane(0)
        self._pending: list[Envelope] = []
        self._on_done = on_done

    def collect(self) -> list[Message]:
        first, span = self._lane.next, self.span
        samples = self.machine.cut(span.start_ms + first * span.step_ms, span.end_ms, span.step_ms)
        numbered = [Numbered(seq, self.machine.host, sample) for seq, sample in enumerate(islice(samples, HISTORY_BATCH), first)]
        self._pending = list(envelopes(self.machine.code, self.stream, numbered))
        return [envelope.message for envelope in self._pending]

    def settle(self, acknowledged: Sequence[bool]) -> int:
        before = self._lane.next
        self._lane.settle(list(zip(self._pending, acknowledged, strict=True)))
        if before < self.total == self._lane.next:
            log.info("%s: history of %d samples is on the topic", self.machine.code, self.total)
            if self._on_done:
                self._on_done()
        return self._lane.next - before

    def waiting(self) -> int:
        return self.total - self._lane.next


class Readings:
    """Version 0: a reading every `every_ms`, from where the state folder says that the last run stopped.

    Readings have no identity, so none may go twice. Only what the broker took but could not acknowledge to this process can.
    """

    def __init__(self, machine: Recorded, every_ms: int, spool: Spool, until_ms: Callable[[], int]) -> None:
        self.machine = machine
        self.every_ms = every_ms
        self._spool = spool
        self._until_ms = until_ms
        self._at_ms = int(spool.recall("readings_sent_ms") or 0)
        self._pending: list[int] = []

    def start(self, start_ms: int) -> None:
        """Where the first reading's interval begins, if none was ever sent."""
        self._at_ms = self._at_ms or start_ms

    def collect(self) -> list[Message]:
        times = range(self._at_ms + self.every_ms, self._until_ms() + 1, self.every_ms)
        self._pending = list(islice(times, READINGS_BATCH))
        return [
            encode_reading(self.machine.code, *self.machine.micro_percent(at - self.every_ms, at), at) for at in self._pending
        ]

    def settle(self, acknowledged: Sequence[bool]) -> int:
        sent = acknowledged.index(False) if False in acknowledged else len(acknowledged)
        if sent:
            self._at_ms = self._pending[sent - 1]
            self._spool.remember("readings_sent_ms", str(self._at_ms))
        return sent

    def waiting(self) -> int:
        return max(0, (self._until_ms() - self._at_ms) // self.every_ms)


class Follower:
    """A recorded machine in real time: its samples go to a spool like a real one's, and it catches up after a stop."""

    def __init__(self, machine: Recorded, spool: Spool, start_ms: int, step_ms: int) -> None:
        self.machine = machine
        self.spool = spool
        self.step_ms = step_ms
        self._end_ms = spool.position().end_ms or start_ms

    def advance(self, now_ms: int) -> None:
        """Put every whole step up to now on disk; long pauses in steps of five minutes."""
        while now_ms - self._end_ms >= self.step_ms:
            long_ago = now_ms - self._end_ms > 2 * CATCH_UP_STEP_MS
            step = max(self.step_ms, CATCH_UP_STEP_MS) if long_ago else self.step_ms
            stop = now_ms - CATCH_UP_STEP_MS if long_ago else now_ms
            count = min(500, (stop - self._end_ms) // step)
            end = self._end_ms + max(1, count) * step
            if not self.spool.append(self.machine.host, list(self.machine.cut(self._end_ms, end, step))):
                return
            self._end_ms = end


class Player:
    """All recorded machines of one run, with one producer."""

    def __init__(self, publisher: Publisher, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.outboxes: list[Outgoing] = []
        self.followers: list[Follower] = []
        self.delivery = Delivery(publisher, self.outboxes, Gate(Mode()))
        self.waiting_at_end = 0
        self._held: list[tuple[Spool, Lock]] = []

    def add_history(self, machine: Recorded, span: Span) -> None:
        """History alone needs no state: its identities follow from what it is. Version 0 has none, so there the state says it."""
        if machine.version0:
            self._readings(machine, span.step_ms, self._spool(machine), lambda: span.end_ms).start(span.start_ms)
        else:
            self.outboxes.append(History(machine, span))

    def add_following(self, machine: Recorded, history: Span, step_ms: int) -> None:
        """History up to the first start, and from there with the clock; a later start goes on where this one stopped."""
        spool = self._spool(machine)
        span = _remembered(spool, history)
        if machine.version0:
            self._readings(machine, step_ms, spool, now_ms).start(span.start_ms)
            return
        if span.start_ms < span.end_ms and not spool.recall("history_done"):
            self.outboxes.append(History(machine, span, lambda: spool.remember("history_done", "yes")))
        self.outboxes.append(Outbox(machine.code, spool))
        self.followers.append(Follower(machine, spool, span.end_ms, step_ms))

    def drain(self, stop: threading.Event) -> None:
        """Send all that waits, however long the broker is away, unless stopped before that."""
        while self.delivery.waiting() and not stop.is_set():
            if not self.delivery.step():
                stop.wait(self.delivery.publisher.wait_s() or 0.05)
        self._close()

    def follow(self, stop: threading.Event) -> None:
        """With the clock until stopped."""
        stopping = threading.Event()
        sender = threading.Thread(target=self.delivery.run, args=(stopping,), name="delivery", daemon=True)
        sender.start()
        tidy_at = time.monotonic() + TIDY_EVERY_S
        while not stop.wait(self._until_next_s()):
            self._advance()
            if time.monotonic() >= tidy_at:
                self._tidy()
                tidy_at += TIDY_EVERY_S
        stopping.set()
        self.delivery.wake.set()
        sender.join(2)
        self.delivery.publisher.give_up()
        sender.join(2)
        if not sender.is_alive():
            self._close()

    def _advance(self) -> None:
        now = now_ms()
        for follower in self.followers:
            follower.advance(now)
        self.delivery.wake.set()

    def _until_next_s(self) -> float:
        steps = [follower.step_ms for follower in self.followers]
        steps += [outbox.every_ms for outbox in self.outboxes if isinstance(outbox, Readings)]
        shortest = min(steps, default=1000)
        return (shortest - now_ms() % shortest) / 1000

    def _tidy(self) -> None:
        for follower in self.followers:
            follower.spool.forget_before(now_ms())  # Acknowledged ones only; the trace can always be computed again.

    def _readings(self, machine: Recorded, every_ms: int, spool: Spool, until_ms: Callable[[], int]) -> Readings:
        readings = Readings(machine, every_ms, spool, until_ms)
        self.outboxes.append(readings)
        return readings

    def _spool(self, machine: Recorded) -> Spool:
        folder = self.state_dir / machine.code
        lock = Lock(folder)
        spool = Spool(folder / "spool.sqlite3")
        spool.claim({"machine": machine.code})
        self._held.append((spool, lock))
        if spool.recall("carried") is not None:
            raise ConfigError(
                f"{folder} holds what an agent measured on this machine: recorded usage does not go among it. Give another "
                "--state-dir."
            )
        return spool

    def _close(self) -> None:
        self.waiting_at_end = self.delivery.waiting()
        self.delivery.publisher.close()
        for spool, lock in self._held:
            spool.close()
            lock.release()


def _remembered(spool: Spool, wanted: Span) -> Span:
    """The history span of the first start: "up to now" must not mean another now, and so another stream, the next time."""
    text = spool.recall("history")
    if text:
        return Span(**json.loads(text))
    spool.remember("history", json.dumps({"start_ms": wanted.start_ms, "end_ms": wanted.end_ms, "step_ms": wanted.step_ms}))
    return wanted


def now_ms() -> int:
    return time.time_ns() // 1_000_000
