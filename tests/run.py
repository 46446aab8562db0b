"""Every check of the project, in one run: what `bin/test` hands over to. Closes with `N passed, N failed` over all of them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

import psutil

from billingsite.broker import BrokerError, EmbeddedKafka
from billingsite.kafka_node import free_ports
from tests.debian import find_chromium, find_screen
from tests.postgres import PostgresMissing, postgres

PARTS = ("lint", "sqlite", "postgres", "browser", "up")
# Nothing of the caller's installation may decide how a test ends, or be touched by one.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "KAFKA_", "USAGE_", "COREHOUR_", "DJANGO_", "SECRET_KEY", "DEBUG", "LOG_")
KEEP = ("COREHOUR_CACHE_DIR",)
NO_TESTS = 5


@dataclass
class Tally:
    """What became of the checks so far. A part that could not be had is skipped, or failed where CI counts on it."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def check(self, holds: bool) -> None:
        self.passed += holds
        self.failed += not holds

    def add(self, other: "Tally") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


class Run:
    """The parts of one run, one after another, with what they say in `out`."""

    def __init__(self, folder: Path, arguments: list[str], out: TextIO) -> None:
        self.folder = folder
        self.arguments = arguments
        self.out = out
        self.tally = Tally()
        self.env = {name: value for name, value in os.environ.items() if name in KEEP or not name.startswith(NOT_OURS)}

    def lint(self) -> None:
        self._check("format", "ruff", "format", "--check", ".")
        self._check("lint", "ruff", "check", ".")
        self._check("types", "mypy")
        self._check("migrations", "manage.py", "makemigrations", "--check", "--dry-run")

    def screen(self) -> None:
        """What the tests of the agent's window need; without it they skip, so it is counted here."""
        found, why = find_screen(self.folder / "apt.log")
        if not found:
            self._miss(f"tests of the agent's window. {why}")

    def sqlite(self) -> None:
        self._pytest("sqlite", {"DATABASE_URL": f"sqlite:///{self.folder / 'corehour.sqlite3'}"})

    def postgres(self) -> None:
        try:
            with postgres() as url:
                self._pytest("postgres", {"DATABASE_URL": url})
        except PostgresMissing as error:
            self._miss(f"tests on PostgreSQL. {error}")

    def browser(self) -> None:
        """A run of its own: Playwright's loop and pytest-asyncio's cannot share a process."""
        chromium, why = find_chromium(self.folder / "apt.log")
        if chromium is None:
            self._miss(f"tests in a browser. {why}")
            return
        self._pytest("browser", {"CHROMIUM": chromium}, "tests/browser")

    def up(self) -> None:
        """The start that the README promises, in a folder and on ports of its own."""
        names = ("COREHOUR_PORT", "COREHOUR_KAFKA_PORT", "COREHOUR_VALKEY_PORT")
        ports = {name: str(port) for name, port in zip(names, free_ports(3), strict=True)}
        env = {**ports, "COREHOUR_DATA_DIR": str(self.folder / "up")}
        self._check("bin/up --check", "billingsite.launch", "--check", env=env)
        left = [
            process.info
            for process in psutil.process_iter(["pid", "cmdline"])
            if _names(process.info["cmdline"], self.folder / "up")
        ]
        self._say(f"== left running by bin/up: {left or 'nothing'}")
        self.tally.check(not left)

    def _pytest(self, name: str, env: dict[str, str], *arguments: str) -> None:
        report = self.folder / f"{name}.xml"
        command = [
            "-m",
            "pytest",
            "-q",
            f"--junit-xml={report}",
            "-o",
            f"cache_dir={self.folder / 'cache' / name}",
            *arguments,
            *self.arguments,
        ]
        code = self._run(f"tests: {name}", command, env)
        if code == NO_TESTS:
            self._miss(f"{name}: pytest found no test")
            return
        counted = _count(report)
        counted.failed = counted.failed or int(code != 0)
        self.tally.add(counted)

    def _check(self, name: str, program: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        start = [program] if program.endswith(".py") else ["-m", program]
        self.tally.check(self._run(name, [*start, *arguments], env or {}) == 0)

    def _miss(self, why: str) -> None:
        in_ci = os.environ.get("CI", "").lower() == "true"
        self._say(f"NOT RUN: {why}")
        self.tally.add(Tally(failed=int(in_ci), skipped=int(not in_ci)))

    def _run(self, name: str, command: list[str], env: dict[str, str]) -> int:
        self._say(f"\n== {name}")
        began = time.monotonic()
        env = {**self.env, "COREHOUR_DATA_DIR": str(self.folder / "data" / name.split()[-1]), **env}
        done = subprocess.run(
            [sys.executable, *command], env=env, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT, check=False
        )
        how = "ok" if done.returncode == 0 else f"exit code {done.returncode}"
        self._say(f"== {name}: {how} after {time.monotonic() - began:.0f} s")
        return done.returncode

    def _say(self, text: str) -> None:
        print(text, file=self.out, flush=True)


def _names(command_line: list[str] | None, folder: Path) -> bool:
    return any(str(folder) in part for part in command_line or [])


def _count(report: Path) -> Tally:
    """Read what pytest counted. No report means that it died, which its exit code tells."""
    if not report.exists():
        return Tally()
    suite = ElementTree.parse(report).getroot().find("testsuite")  # noqa: S314  Written by our own pytest.
    assert suite is not None
    total, failed, broken, skipped = (int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
    return Tally(passed=total - failed - broken - skipped, failed=failed + broken, skipped=skipped)


def main(arguments: list[str]) -> int:
    """Run the parts that are named, or all; whatever else is given goes to pytest."""
    signal.signal(signal.SIGTERM, _stop)
    parts = [argument for argument in arguments if argument in PARTS] or list(PARTS)
    with tempfile.TemporaryDirectory(prefix="corehour-test-") as name, contextlib.ExitStack() as stack:
        run = Run(Path(name), [argument for argument in arguments if argument not in PARTS], sys.stdout)
        if parts != ["lint"]:
            _start_broker(run, stack)
        if {"sqlite", "postgres"} & set(parts):
            run.screen()
        if {"sqlite", "postgres"} <= set(parts):
            _run_side_by_side(run, parts)
        else:
            for part in parts:
                getattr(run, part)()
    print(f"\n{run.tally}", flush=True)
    return 1 if run.tally.failed else 0


def _stop(number: int, _frame: FrameType | None) -> None:
    """Take along what was started; a test run that goes on alone would disturb the next one."""
    for child in psutil.Process().children(recursive=True):
        child.terminate()
    sys.exit(128 + number)


def _run_side_by_side(run: Run, parts: list[str]) -> None:
    """Give the two databases a core each. PostgreSQL's part speaks when its turn in the order has come."""
    with (run.folder / "postgres.out").open("w+") as out, ThreadPoolExecutor(max_workers=1) as side:
        other = Run(run.folder, run.arguments, out)
        other.env = run.env
        running = side.submit(other.postgres)
        for part in parts:
            if part != "postgres":
                getattr(run, part)()
                continue
            running.result()
            out.seek(0)
            shutil.copyfileobj(out, run.out)
            run.tally.add(other.tally)


def _start_broker(run: Run, stack: contextlib.ExitStack) -> None:
    """One broker for all runs. Without one each run tries for itself, and its Kafka tests fail with the reason."""
    try:
        broker = stack.enter_context(EmbeddedKafka(run.folder / "kafka", port=free_ports(1)[0]))
    except BrokerError as error:
        print(f"No broker: {error}", flush=True)
    else:
        run.env["TEST_KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrap


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
