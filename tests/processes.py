"""Real processes on the test's own database and broker: what a kill or a restart does is tried, not argued."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import redis
from django.db import connection

from billingsite.kafka_node import HOST, free_ports

ROOT = Path(__file__).parent.parent
READY_WITHIN_S = 90.0


def database_url() -> str:
    """The DATABASE_URL under which another process finds this test's database."""
    options = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{options['NAME']}"
    password = f":{quote(options['PASSWORD'])}" if options["PASSWORD"] else ""
    return f"postgres://{quote(options['USER'])}{password}@{options['HOST']}:{options['PORT']}/{options['NAME']}"


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, pointed at the test's database."""
    return {**os.environ, "DATABASE_URL": database_url(), "SECRET_KEY": "of no use after the test", **changes}


def program(*arguments: str, **changes: str) -> subprocess.Popen[str]:
    """Start a Python program of the project. Changes go into its environment."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def manage(*arguments: str, **changes: str) -> subprocess.Popen[str]:
    """Start a management command."""
    return program("manage.py", *arguments, **changes)


@contextlib.contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Stop the process at the end, kindly first."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """A real Valkey of the test's own. Yield its REDIS_URL."""
    url = f"redis://:secret@{HOST}:{free_ports(1)[0]}/0"
    with running(program("-m", "billingsite.valkey", REDIS_URL=url, COREHOUR_DATA_DIR=str(folder))) as process:
        with redis.Redis.from_url(url) as client:
            wait(lambda: _pings(client), process)
        yield url


@contextlib.contextmanager
def site(**changes: str) -> Iterator[str]:
    """The real web server on the test's database. Yield its address."""
    port = free_ports(1)[0]
    command = ("-m", "uvicorn", "billingsite.asgi:application", "--host", HOST, "--port", str(port), "--log-level", "warning")
    with running(program(*command, **{"DEBUG": "1"} | changes)) as process:
        wait(lambda: _answers(f"http://{HOST}:{port}/healthz"), process)
        yield f"http://{HOST}:{port}"


def wait(done: Callable[[], bool], process: subprocess.Popen[str] | None = None, within_s: float = READY_WITHIN_S) -> None:
    """Wait for a condition. Fail where the process ends before, with its last words."""
    deadline = time.monotonic() + within_s
    while not done():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"not so after {within_s:.0f} s"
        time.sleep(0.05)


def _pings(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _answers(address: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
