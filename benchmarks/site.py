"""The site as a benchmark runs it: the real ASGI server and a Valkey, as processes that end with the benchmark."""

import contextlib
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.programs import ROOT, BenchmarkError, environment, last_words
from billingsite.guard import guarded
from billingsite.kafka_node import HOST, free_ports
from tests.postgres import postgres

ANSWERS_WITHIN_S = 60.0
# As the Procfile starts it.
OPTIONS = ("--no-access-log", "--log-level", "warning", "--ws-max-size", "4096", "--ws-per-message-deflate", "false")


@dataclass(frozen=True)
class Site:
    """A web server at an address."""

    address: str
    process: subprocess.Popen[bytes]

    def memory_mb(self) -> float:
        """What the server's process holds, in MB."""
        [server] = psutil.Process(self.process.pid).children()
        return round(server.memory_info().rss / 1e6, 1)


@contextlib.contextmanager
def database(kept: Path | None = None) -> Iterator[tuple[str, str]]:
    """Run a PostgreSQL that waits for its disk, of this run or from a folder. Yield its DATABASE_URL and what it is."""
    with postgres(durable=True, kept=kept) as url:
        with psycopg.connect(url) as connection:
            version = f"PostgreSQL {connection.info.parameter_status('server_version')}"
        yield url, version


@contextlib.contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """Run a Valkey. Yield its REDIS_URL."""
    url = f"redis://:{uuid.uuid4().hex}@{HOST}:{free_ports(1)[0]}/0"
    with part(folder, "valkey", ["billingsite.valkey"], environment(folder, REDIS_URL=url)):
        yield url


@contextlib.contextmanager
def site(folder: Path, env: dict[str, str], *options: str) -> Iterator[Site]:
    """Run the web server, and wait until it answers."""
    with serving(folder, "billingsite.asgi:application", env, *options) as served:
        yield served


@contextlib.contextmanager
def serving(folder: Path, application: str, env: dict[str, str], *options: str) -> Iterator[Site]:
    """Run an application as the Procfile runs the site, and wait until it answers."""
    port = free_ports(1)[0]
    command = ["uvicorn", application, "--host", HOST, "--port", str(port), *OPTIONS, *options]
    with part(folder, "web", command, env) as process:
        _await(port, process)
        yield Site(f"http://{HOST}:{port}", process)


def collect_static(env: dict[str, str]) -> None:
    """Gather scripts and styles under hashed names, as an installation does."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "manage.py", "collectstatic", "--no-input", "-v0"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    if done.returncode:
        raise BenchmarkError(f"collectstatic ended: {last_words(done.stderr)}")


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, port), timeout=1).close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError("The web server does not answer.")
        time.sleep(0.1)


@contextlib.contextmanager
def part(folder: Path, name: str, module: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of the product. Where it ends by itself, its last words are the reason."""
    said = folder / f"{name}.log"
    with said.open("ab") as log:
        process = guarded([sys.executable, "-m", *module], output=log, env={**env, "PYTHONPATH": str(ROOT)})
    try:
        yield process
    except BenchmarkError as error:
        if process.poll() is None:
            raise
        raise BenchmarkError(f"The {name} program ended: {last_words(said.read_text())}") from error
    finally:
        process.terminate()
        process.wait()
