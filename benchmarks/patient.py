"""An agent on a machine that is a file, as a process that can be started, killed and asked; and a small disk to fill."""

import contextlib
import importlib.util
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent import control
from benchmarks.programs import ROOT, BenchmarkError, last_words

PATIENCE_S = 90.0
DISK_MB = 8
BALLAST = "ballast"
VENDORED = Path("vendor") / "libfaketime" / "src" / "libfaketime.so.1"


class Patient:
    """`env` says who it is and where it keeps its state."""

    def __init__(self, name: str, machine: Path, env: dict[str, str]) -> None:
        self.name = name
        self.env = env | faked_clock(machine)
        self.folder = Path(env["COREHOUR_AGENT_STATE_DIR"]) / name
        self._machine = machine
        self._log = machine.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def enrol(self, address: str, token: str) -> None:
        command = [sys.executable, "-m", "agent", "enrol", address, "-"]
        done = subprocess.run(command, cwd=ROOT, env=self.env, input=token, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"{self.name} was not enrolled: {last_words(done.stderr)}")

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.agent.chaos_agent", str(self._machine)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def status(self) -> dict[str, Any]:
        """What it says of itself; nothing while it does not answer."""
        try:
            told: dict[str, Any] = control.ask(self.folder, {"do": "status"})
        except (control.NotRunning, control.ControlError):
            return {}
        return told

    def await_status(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until it answers, and as wanted. Raise BenchmarkError where it never does."""
        deadline = time.monotonic() + PATIENCE_S
        while not ((said := self.status()) and holds(said)):
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{self.name} says {said or 'nothing'}: {last_words(self._log.read_text())}")
            time.sleep(0.05)
        return said

    def await_samples(self, count: int) -> None:
        """Wait for that many samples more on its disk."""
        wanted = self.await_status(lambda said: True)["written"] + count
        self.await_status(lambda said: said["written"] >= wanted)

    def written(self) -> tuple[int, int]:
        """How many samples its spool has had, and how many of those it has still to send."""
        with contextlib.closing(sqlite3.connect(self.folder / "spool.sqlite3")) as spool:
            written, waiting = spool.execute("SELECT next, next - acknowledged FROM stream").fetchone()
        return written, waiting

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)


def faked_clock(machine: Path) -> dict[str, str]:
    """The environment in which `set_clock` sets a process's clock by libfaketime; empty where that is not installed."""
    found = importlib.util.find_spec("libfaketime")
    library = Path(found.origin).parent / VENDORED if found and found.origin else None
    if library is None or not library.exists():
        return {}
    said = machine.with_suffix(".clock")
    said.write_text("+0")
    faked = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(said), "FAKETIME_NO_CACHE": "1"}
    return faked | {"DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a disk of a few megabytes. None where this process may not."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "corehour-chaos", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk: Path) -> None:
    """Leave no room at all."""
    with contextlib.suppress(OSError), (disk / BALLAST).open("ab", buffering=0) as ballast:
        while ballast.write(b"\0" * 65_536):
            pass
    with contextlib.suppress(OSError), (disk / BALLAST).open("ab", buffering=0) as ballast:
        while ballast.write(b"\0"):
            pass


def make_room(disk: Path) -> None:
    (disk / BALLAST).unlink()
