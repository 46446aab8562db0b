"""A process with Django loaded that forks a child for each job: `python -m tests.nursery`. A worker is up in milliseconds.

Children are real processes, to be killed, stopped and continued by their pid. None outlives its nursery.
"""

import contextlib
import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PR_SET_PDEATHSIG = 1


class Nursery:
    """The caller's end of it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.log = tempfile.NamedTemporaryFile("w+", prefix="corehour-nursery-", suffix=".log")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def start(self, job: str, **arguments: Any) -> int:
        """Run a function of tests/jobs.py in a child of its own. Return its pid."""
        return int(self._ask({"start": job, "arguments": arguments})["pid"])

    def code(self, pid: int) -> int | None:
        """The exit code of a child, below zero where a signal ended it; None while it runs."""
        answer: int | None = self._ask({"code": pid})["code"]
        return answer

    def wait(self, pid: int, within_s: float = 60.0) -> int:
        """Wait for a child's end and return its exit code. Fail with what the children said where it does not come."""
        deadline = time.monotonic() + within_s
        while (code := self.code(pid)) is None:
            assert time.monotonic() < deadline, f"still running after {within_s:.0f} s. {self.said()}"
            time.sleep(0.02)
        return code

    def kill(self, pid: int) -> None:
        """Kill a child that may have ended already."""
        if self.code(pid) is None:
            os.kill(pid, signal.SIGKILL)
            self.wait(pid)

    def said(self, last: int = 3_000) -> str:
        """What the children wrote, or the end of it."""
        return Path(self.log.name).read_text(errors="replace")[-last:]

    def close(self) -> None:
        """Kill every child that is left, and end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the nursery ended: {self.said()}"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def nursery(env: dict[str, str]) -> Iterator[Nursery]:
    """A nursery whose children live with this environment."""
    made = Nursery(env)
    try:
        yield made
    finally:
        made.close()


def main() -> None:
    import django

    django.setup()
    jobs = importlib.import_module("tests.jobs")
    jobs.load()
    running: dict[int, int | None] = {}
    while line := sys.stdin.readline():
        question = json.loads(line)
        if "start" in question:
            pid = _fork(getattr(jobs, question["start"]), question["arguments"])
            running[pid] = None
            answer: dict[str, Any] = {"pid": pid}
        else:
            answer = {"code": _code(running, question["code"])}
        print(json.dumps(answer), flush=True)
    for pid in running:
        if _code(running, pid) is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _fork(job: Any, arguments: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        with open(os.devnull, "r+") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        job(**arguments)
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _code(running: dict[int, int | None], pid: int) -> int | None:
    if running[pid] is None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            running[pid] = os.waitstatus_to_exitcode(status)
    return running[pid]


if __name__ == "__main__":
    main()
