"""A process that is a person before the agent's window: `python -m benchmarks.clicker SECONDS SEED`, in the agent's environment.

It says when the window shows an agent at work; told to go on it clicks at random and prints what it found; told once more it
resumes sending and says whether everything waiting has gone.
"""

import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from agent import control
from agent.config import load
from agent.window_link import Link
from tests.agent.screen import Screen, display, what_a_person_may_do

BEAT_MS = 20
PAUSE_S = 0.05
SENT_WITHIN_S = 120.0
WAITED = Path("/proc/thread-self/schedstat")


class Pulse:
    """Beats in the window's own loop. The longest time between two beats is the longest that the window did not answer."""

    def __init__(self, shown: Screen) -> None:
        self.shown = shown
        self.longest_gap_ms = 0
        self.longest_freeze_ms = 0
        self._at, self._waited = time.monotonic_ns(), waited_ns()
        self._beat()

    def _beat(self) -> None:
        at, waited = time.monotonic_ns(), waited_ns()
        gap, others = at - self._at, waited - self._waited
        self.longest_gap_ms = max(self.longest_gap_ms, gap // 1_000_000 - BEAT_MS)
        self.longest_freeze_ms = max(self.longest_freeze_ms, (gap - others) // 1_000_000 - BEAT_MS)
        self._at, self._waited = at, waited
        self.shown.root.after(BEAT_MS, self._beat)


def waited_ns() -> int:
    """How long this thread was ready to run while other programs had the cores: that is no fault of the window."""
    try:
        return int(WAITED.read_text().split()[1])
    except (OSError, IndexError):
        return 0


def main(seconds: float, seed: int) -> None:
    config = load({}, os.environ)
    with display() as screen:
        shown = Screen(Link(config, []), screen)
        shown.await_true(lambda: shown.window.word.cget("text") in ("Running", "Offline"), within_s=60)
        _say({"ready": True})
        sys.stdin.readline()
        _say(_click(shown, seconds, random.Random(seed)))
        sys.stdin.readline()
        _say({"came_back": _came_back(shown, config.folder)})
        shown.root.destroy()
        shown.link.stop()


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _click(shown: Screen, seconds: float, dice: random.Random) -> dict[str, Any]:
    things, pulse, actions, seen = what_a_person_may_do(shown, dice), Pulse(shown), 0, set()
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        dice.choice(things)()
        actions += 1
        seen.add(shown.window.word.cget("text"))
        rest = time.monotonic() + PAUSE_S
        while time.monotonic() < rest:
            shown.root.update()
            time.sleep(0.005)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "actions": actions,
        "errors": [f"{type(error).__name__}: {error}" for error in shown.errors],
        "longest_gap_ms": pulse.longest_gap_ms,
        "longest_freeze_ms": pulse.longest_freeze_ms,
        "seen": sorted(seen),
    }


def _came_back(shown: Screen, folder: Path) -> bool:
    """Whether the agent, left alone, sends all that waits and says that it runs."""
    done = threading.Event()

    def ask() -> None:
        control.ask(folder, {"do": "mode", "mode": {"every_s": 0, "above": False, "paused": False}})
        deadline = time.monotonic() + SENT_WITHIN_S
        while time.monotonic() < deadline and control.ask(folder, {"do": "status"})["waiting"]:
            time.sleep(0.1)
        done.set()

    threading.Thread(target=ask, daemon=True).start()
    shown.await_true(done.is_set, within_s=SENT_WITHIN_S + 30)
    status = control.ask(folder, {"do": "status"})
    shown.await_true(lambda: shown.window.word.cget("text") == "Running", within_s=30)
    return bool(status["state"] == "running")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
