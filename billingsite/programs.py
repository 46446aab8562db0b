"""Runs programs of the Procfile under honcho, in the background, so that stopping them leaves no process behind."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from billingsite.guard import guarded
from billingsite.surroundings import Mishap

ROOT = Path(__file__).resolve().parent.parent
STOP_WITHIN_S = 25.0
LINES_TO_SHOW = 15


class Programs:
    """Some lines of the Procfile. If one of them ends, honcho ends the others: half a product helps nobody."""

    def __init__(self, names: list[str], *, log: Path, env: Mapping[str, str]) -> None:
        self.names = names
        self.log = log
        self.env = dict(env)
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "honcho", "start", "--no-colour", "-d", str(ROOT), "-e", os.devnull, *self.names]
        with self.log.open("wb") as output:
            self._guard = guarded(command, output=output, env=self.env)

    def stop(self) -> None:
        if self._guard is None:
            return
        self._guard.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(STOP_WITHIN_S)
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin:
            self._guard.stdin.close()

    def pids(self) -> dict[str, int]:
        """Return the running programs by name, as honcho announced them."""
        started = re.findall(r"system +\| (\w+)\.\d+ started \(pid=(\d+)\)", self._said())
        return {name: int(pid) for name, pid in started if psutil.pid_exists(int(pid))}

    def refuse_fallen(self) -> None:
        """Raise Mishap with the last words of the program that ended by itself first, if one did."""
        if self._guard is not None and self._guard.poll() is None:
            return
        first = re.search(r"system +\| (\w+)\.\d+ stopped \(rc=(-?\d+)\)", self._said())
        if first is None:
            raise Mishap(f"The programs {', '.join(self.names)} did not start. See {self.log}")
        name, code = first.groups()
        raise Mishap(f"{name} stopped by itself (exit code {code}). Its last words, from {self.log}:\n{self._last_words(name)}")

    def _last_words(self, name: str) -> str:
        own = re.findall(rf"^\S+ {name}\.\d+ +\| (.*)$", self._said(), re.MULTILINE)
        return "\n".join(f"    {line}" for line in own[-LINES_TO_SHOW:])

    def _said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""
