"""Fifth step: a loop that takes from the outboxes what may go now and gives it to the publisher, all machines in one producer."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.modes import Gate
from agent.wire import Message

LOG_EVERY_S = 30.0
REST_S = 60.0

log = logging.getLogger("agent")


class Outgoing(Protocol):
    """One machine's messages that are on their way: collect some, hear which were acknowledged, and so on."""

    def collect(self) -> list[Message]: ...
    def settle(self, acknowledged: Sequence[bool]) -> int: ...
    def waiting(self) -> int: ...


class Sender(Protocol):
    """A way to the topic: Kafka's own, or through the server."""

    @property
    def trouble(self) -> str | None: ...
    def wait_s(self) -> float: ...
    def publish(self, messages: Sequence[Message]) -> list[bool]: ...
    def give_up(self) -> None: ...
    def close(self, timeout_s: float = 2.0) -> None: ...


class Delivery:
    """`step` is one batch; `run` is the thread around it. `wake` it when there is something new."""

    def __init__(
        self, publisher: Sender, outboxes: Sequence[Outgoing], gate: Gate, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.publisher = publisher
        self.outboxes = outboxes
        self.gate = gate
        self.wake = threading.Event()
        self.last_sent_ms = 0
        self.last_sent_samples = 0
        self.trouble_since_ms = 0
        self._monotonic = monotonic
        self._log_from = 0.0

    def step(self) -> bool:
        """Send one batch of every outbox. True if there is more to do at once, False to rest until woken."""
        if not self.gate.is_open() or self.publisher.wait_s() > 0:
            return False
        batches = [outbox.collect() for outbox in self.outboxes]
        messages = [message for batch in batches for message in batch]
        if not messages:
            self.gate.emptied()
            return False
        self._settle([len(batch) for batch in batches], self.publisher.publish(messages))
        return not self.publisher.trouble

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop; then once more, so that the last samples go out if the broker is there."""
        while not stopping.is_set():
            self.wake.clear()
            if not self._guarded_step():
                self.wake.wait(self._rest_s())
            if self.gate.mode.paused and not self.gate.is_open():
                self.publisher.close()  # Pausing stops the network, not the meter.
        if not self.publisher.trouble:
            self._guarded_step()
        self.publisher.close(timeout_s=1)

    def waiting(self) -> int:
        return sum(outbox.waiting() for outbox in self.outboxes)

    def _guarded_step(self) -> bool:
        try:
            return self.step()
        except Exception:  # The samples are on disk: log it and go on, a thread that died would send nothing for ever.
            log.exception("sending failed")
            self.wake.wait(1)
            return False

    def _rest_s(self) -> float:
        """Until the gate opens by itself or the broker may be tried again; new samples wake it sooner."""
        if self.publisher.wait_s() > 0:
            return self.publisher.wait_s()
        wait = self.gate.wait_s()
        return min(REST_S, wait) if wait > 0 else REST_S

    def _settle(self, sizes: Sequence[int], acknowledged: Sequence[bool]) -> None:
        gained, start = 0, 0
        for outbox, size in zip(self.outboxes, sizes, strict=True):
            gained += outbox.settle(acknowledged[start : start + size])
            start += size
        if gained:
            self.last_sent_ms, self.last_sent_samples = time.time_ns() // 1_000_000, gained
        self._report()

    def _report(self) -> None:
        """One line when trouble begins and every 30 s while it lasts, one when it is over."""
        if self.publisher.trouble is None:
            if self.trouble_since_ms:
                log.warning("the broker is back; %d samples are still waiting", self.waiting())
            self.trouble_since_ms, self._log_from = 0, 0.0
            return
        self.trouble_since_ms = self.trouble_since_ms or time.time_ns() // 1_000_000
        if self._monotonic() >= self._log_from:
            log.warning("%s; %d samples wait on disk, trying again", self.publisher.trouble, self.waiting())
            self._log_from = self._monotonic() + LOG_EVERY_S
