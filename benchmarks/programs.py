"""The processes that a benchmark starts: each with the product's settings in its environment, none outliving it."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# Nothing of the caller's installation may decide how a benchmark ends, or be touched by one.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "KAFKA_", "USAGE_", "COREHOUR_", "DJANGO_", "SECRET_KEY", "DEBUG", "LOG_")
KEEP = ("COREHOUR_CACHE_DIR",)
SECRET = "of no use after the benchmark"  # noqa: S105


class BenchmarkError(Exception):
    """A benchmark cannot be run, or not to its end. The text says why."""


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a process that knows nothing but this benchmark's folder and these changes."""
    kept = {name: value for name, value in os.environ.items() if name in KEEP or not name.startswith(NOT_OURS)}
    ours = {"COREHOUR_DATA_DIR": str(folder / "data"), "SECRET_KEY": SECRET, "LOG_LEVEL": "ERROR"}
    ours |= {"USAGE_REQUIRE_SIGNATURE": "0", "STAFF_SECOND_FACTOR": "0"}
    return kept | ours | {"DJANGO_SETTINGS_MODULE": "billingsite.settings"} | changes


class Program:
    """A module of this package as a process. It answers in lines of JSON, and ends when its standard input does."""

    def __init__(self, module: str, *arguments: object, env: dict[str, str]) -> None:
        self.module = module
        self.log = tempfile.TemporaryFile("w+")  # Of interest only if it fails.
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def answer(self) -> Any:
        """Return the next line that the process prints. Raise BenchmarkError where it ends without."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            self.log.seek(0)
            raise BenchmarkError(f"benchmarks.{self.module} ended with code {code}: {last_words(self.log.read())}")
        return json.loads(line)

    def go(self) -> None:
        """Let a process that has answered go on."""
        self.tell("go")

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Close its standard input and wait, at last with force."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def last_words(log: str) -> str:
    """The end of what a process said: of a traceback the exception."""
    return " ".join(log.strip().splitlines()[-3:]) or "it said nothing"


@contextlib.contextmanager
def running(module: str, *arguments: object, env: dict[str, str]) -> Iterator[Program]:
    program = Program(module, *arguments, env=env)
    try:
        yield program
    finally:
        program.end()


def prepare(folder: Path, url: str, machines: int) -> str:
    """Migrate a database, and put a customer with machines into it. Return the cookie of a signed-in member."""
    with running("prepare", machines, env=environment(folder, DATABASE_URL=url)) as program:
        return str(program.answer()["cookie"])
