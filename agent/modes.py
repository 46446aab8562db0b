"""When to send. Measuring never stops and the bill is the same whatever the mode: what waits is on disk."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

HYSTERESIS_PERCENT = 5
QUIET_S = 3_600
LONGEST_EVERY_S = 3_600


@dataclass(frozen=True, slots=True)
class Mode:
    """`every_s` 0 is continuous. `above`: only while CPU or memory is over its threshold, and once an hour all the same."""

    every_s: int = 0
    above: bool = False
    cpu_percent: int = 20
    memory_percent: int = 50
    demand: bool = False
    paused: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.every_s <= LONGEST_EVERY_S:
            raise ValueError(f"send every 0 to {LONGEST_EVERY_S} seconds, not {self.every_s}")
        for name, percent in (("CPU", self.cpu_percent), ("memory", self.memory_percent)):
            if not 0 <= percent <= 100:
                raise ValueError(f"the {name} threshold is 0 to 100 percent, not {percent}")

    def words(self) -> str:
        if self.paused:
            return "paused"
        if self.demand:
            return "on demand"
        if self.above:
            return f"only above CPU {self.cpu_percent} % or memory {self.memory_percent} %"
        return f"every {self.every_s} s" if self.every_s else "continuous"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> "Mode":
        """The mode as remembered; the default if there is none or it cannot be read."""
        try:
            return cls(**json.loads(text)) if text else cls()
        except (ValueError, TypeError):
            return cls()


class Gate:
    """Open when samples may be sent. An explicit "send now" opens it once, paused or not."""

    def __init__(self, mode: Mode, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.mode = mode
        self.busy = False
        self._asked = False
        self._monotonic = monotonic
        self._closed_at = monotonic() - QUIET_S

    def observe(self, cpu_percent: float, memory_percent: float) -> None:
        """Over a threshold it is busy; it is quiet again once both are well below, so that a value on the edge does not flap."""
        if cpu_percent >= self.mode.cpu_percent or memory_percent >= self.mode.memory_percent:
            self.busy = True
        elif cpu_percent < _well_below(self.mode.cpu_percent) and memory_percent < _well_below(self.mode.memory_percent):
            self.busy = False

    def ask(self) -> None:
        self._asked = True

    def is_open(self) -> bool:
        return self._asked or self.wait_s() <= 0

    def wait_s(self) -> float:
        """Seconds until it opens by itself; an hour when it never will."""
        if self.mode.paused or self.mode.demand:
            return QUIET_S
        spacing = QUIET_S if self.mode.above and not self.busy else self.mode.every_s
        return self._closed_at + spacing - self._monotonic()

    def emptied(self) -> None:
        """Everything that waited has been sent: the next spell begins."""
        self._asked = False
        self._closed_at = self._monotonic()


def _well_below(threshold: int) -> float:
    """What counts as quiet again. Of a low threshold its half, since nothing is below 0."""
    return max(threshold - HYSTERESIS_PERCENT, threshold / 2)
