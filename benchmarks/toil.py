"""Two machines that do the same work. Each is a file that its agent reads, noting how much had been done by then."""

import json
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.programs import BenchmarkError

STEP_S = 0.05
MOST_A_STEP = 400
NEAR_MS, APART_MS = 5_000, 5  # A stamp is taken just after its reading, by a clock that may be some ms apart.
METERS = ("cpu_ms", "net_rx")
Span = tuple[int, int]


class Toil:
    """`start` it, and both machines use CPU time and receive bytes until `stop`. The bytes' counter has 32 bits and wraps."""

    def __init__(self, folder: Path, names: Sequence[str], seed: int) -> None:
        self.files = {name: folder / f"{name}.json" for name in names}
        self.done = dict.fromkeys(METERS, 0)
        self._counters: dict[str, dict[str, Any]] = {
            name: {"cpu_ms": 1_000, "net_rx": 2**32 - 200_000, "boot": "b1", "clock_ms": 0} for name in names
        }
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        for name in names:
            self._write(name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def set(self, name: str, **changes: str | int) -> None:
        """Change what one machine's file says besides its work."""
        with self._lock:
            self._counters[name] |= changes
            self._write(name)

    def done_within(self, name: str, spans: Sequence[Span]) -> dict[str, int]:
        """What was done between the readings that one machine's agent took at the start and at the end of each span."""
        lines = [line.split(" ", 1) for line in self.files[name].with_suffix(".readings").read_text().splitlines()]
        readings = [(int(at), json.loads(done)) for at, done in lines]

        def by(at_ms: int) -> dict[str, int]:
            at, done = max((reading for reading in readings if reading[0] <= at_ms + APART_MS), key=lambda reading: reading[0])
            if at_ms - at > NEAR_MS:
                raise BenchmarkError(f"The agent took no reading shortly before {at_ms}; the last one is of {at}")
            return dict(done)

        return {meter: sum(by(end)[meter] - by(start)[meter] for start, end in spans) for meter in METERS}

    def _work(self) -> None:
        while not self._over.wait(STEP_S):
            with self._lock:
                for meter in METERS:
                    self._use(meter, self._dice.randint(0, MOST_A_STEP))
                for name in self.files:
                    self._write(name)

    def _use(self, meter: str, amount: int) -> None:
        self.done[meter] += amount
        for counters in self._counters.values():
            counters[meter] = (counters[meter] + amount) % 2**32

    def _write(self, name: str) -> None:
        draft = self.files[name].with_suffix(".new")
        draft.write_text(json.dumps(self._counters[name] | {"done": self.done}))
        draft.replace(self.files[name])
