"""Between spool and publisher: which samples of one machine go next, and what the broker's answers mean for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.spool import Spool
from agent.wire import MOST_SAMPLES, Envelope, Message, envelopes

BATCH_SAMPLES = 8 * MOST_SAMPLES
LONG_BACKLOG = 2 * MOST_SAMPLES


@dataclass(slots=True)
class Lane:
    """A run of seq being sent in order: below `next` the broker has it."""

    next: int

    def settle(self, sent: Sequence[tuple[Envelope, bool]]) -> None:
        """Move past what was acknowledged, up to the first that was not: that one is sent again, with all after it."""
        for envelope, acknowledged in sent:
            if not acknowledged:
                return
            self.next = envelope.end


class Outbox:
    """Sends oldest first. When the backlog is long, what is measured from now on gets a lane of its own, so that it stays live.

    The live lane is only in memory: after a restart its samples go again with the backlog, which is harmless.
    """

    def __init__(self, machine: str, spool: Spool) -> None:
        self.machine = machine
        self.spool = spool
        self._backlog = Lane(spool.position().acknowledged)
        self._live: Lane | None = None
        self._live_from = 0
        self._pending: tuple[list[Envelope], list[Envelope]] = ([], [])
        self._again_from: int | None = None

    def collect(self) -> list[Message]:
        """The next messages: a batch of the backlog, then the newest samples. `settle` takes the answers before the next call."""
        self._go_back()
        end = self.spool.position().next
        if self._live is None and end - self._backlog.next > LONG_BACKLOG:
            self._live, self._live_from = Lane(end), end
        backlog = self._envelopes(self._backlog.next, self._live_from if self._live else end, BATCH_SAMPLES)
        live = self._envelopes(self._live.next, end, MOST_SAMPLES) if self._live else []
        self._pending = (backlog, live)
        return [envelope.message for envelope in backlog + live]

    def settle(self, acknowledged: Sequence[bool]) -> int:
        """Take the broker's answers to the last `collect`; return how many samples it acknowledged."""
        backlog, live = self._pending
        before = self._sent()
        self._backlog.settle(list(zip(backlog, acknowledged, strict=False)))
        if self._live:
            self._live.settle(list(zip(live, acknowledged[len(backlog) :], strict=True)))
            self._join()
        gained = self._sent() - before
        if self._backlog.next != self.spool.position().acknowledged:
            self.spool.acknowledge(self._backlog.next)
        return gained

    def waiting(self) -> int:
        """Samples that the broker has not acknowledged yet."""
        return self.spool.position().next - self._sent()

    def send_again_from(self, seq: int) -> None:
        """Ask for everything from `seq` on to be sent once more. May be called from another thread: `collect` obeys."""
        self._again_from = seq

    def _go_back(self) -> None:
        if self.spool.is_left():
            self.spool.begin_again()
            self._backlog, self._live, self._again_from = Lane(0), None, None
        seq, self._again_from = self._again_from, None
        if seq is None:
            return
        start = max(seq, self.spool.oldest())
        self.spool.acknowledge(start)
        self._backlog, self._live = Lane(start), None

    def _sent(self) -> int:
        return self._backlog.next + (self._live.next - self._live_from if self._live else 0)

    def _join(self) -> None:
        if self._live and self._backlog.next >= self._live_from:
            self._backlog, self._live = self._live, None

    def _envelopes(self, first: int, end: int, limit: int) -> list[Envelope]:
        return list(envelopes(self.machine, self.spool.stream, self.spool.read(first, end, limit)))
