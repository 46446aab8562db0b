"""What `bin/up` finds and prepares on a machine before it starts anything: room, ports, secrets, and nobody in its place."""

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from billingsite.kafka_node import HOST, is_free

LEAST_FREE_BYTES = 1_000_000_000
PORTS = {"COREHOUR_PORT": 8000, "COREHOUR_KAFKA_PORT": 9092, "COREHOUR_VALKEY_PORT": 6379}
FORGOTTEN = [
    "kafka",
    "valkey",
    "agent",
    "demo",
    "log",
    "static",
    "corehour.sqlite3*",
    "celerybeat-schedule*",
    "dev.env",
    "run.env",
]
DEMO_HISTORY_DAYS = "70"  # The demo sends last month's usage, which a real installation would refuse as too old.


class Mishap(Exception):
    """The product could not be started. The text is one sentence on what is wrong and one on how to mend it."""


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the data folder for this run. Raise Mishap if another run holds it, naming the address it gave."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        note = (folder / "up.lock").open("a+")
    except OSError as error:
        raise Mishap(f"Cannot write to {folder} ({error.strerror}). Set COREHOUR_DATA_DIR to a folder that you own.") from error
    with note:
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note.seek(0)
            raise Mishap(
                f"Corehour is already running from {folder} (process {note.read().strip() or 'unknown'}). "
                "Stop it with Ctrl-C where it was started, or start this one with another COREHOUR_DATA_DIR."
            ) from None
        note.truncate(0)
        note.write(str(os.getpid()))
        note.flush()
        yield


def refuse_full_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise Mishap(
            f"Only {free // 1_000_000} MB are free in {folder}, and the demo wants {LEAST_FREE_BYTES // 1_000_000} MB. "
            "Free some space, or set COREHOUR_DATA_DIR to a folder on another disk."
        )


def choose_ports(given: Mapping[str, str]) -> dict[str, int]:
    """Return a free port for each part: the one asked for or a Mishap, else the usual one or the next above it."""
    chosen: dict[str, int] = {}
    for name, usual in PORTS.items():
        chosen[name] = _asked_for(name, given[name]) if given.get(name) else _next_free(usual, set(chosen.values()))
    return chosen


def _asked_for(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise Mishap(f"{name}={text!r} is not a port. Set it to a number from 1 to 65535.")
    if not is_free(int(text)):
        raise Mishap(f"Port {text} is taken by another program. Stop that program, or set {name} to a free port.")
    return int(text)


def _next_free(usual: int, taken: set[int]) -> int:
    for port in range(usual, usual + 100):
        if port not in taken and is_free(port):
            return port
    raise Mishap(f"Ports {usual} to {usual + 99} are all taken. Stop one of the programs that hold them.")


def secrets_of(folder: Path) -> dict[str, str]:
    """Return the development settings in dev.env, which is made with random secrets (mode 600) on the first start."""
    file = folder / "dev.env"
    if not file.exists():
        made = {"VALKEY_PASSWORD": secrets.token_urlsafe(24), "USAGE_MAX_AGE_DAYS": DEMO_HISTORY_DAYS}
        private_file(file, "".join(f"{key}={value}\n" for key, value in made.items()))
    lines = (line.strip() for line in file.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}


def private_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read, even for the moment in which it is made."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that every program of this start shares. What the caller has set for the database stays."""
    kept = secrets_of(folder)
    ports = choose_ports(given)
    return {
        **kept,
        **{name: str(port) for name, port in ports.items()},
        "COREHOUR_DATA_DIR": str(folder),
        "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{ports['COREHOUR_KAFKA_PORT']}",
        "REDIS_URL": f"redis://:{kept['VALKEY_PASSWORD']}@{HOST}:{ports['COREHOUR_VALKEY_PORT']}/0",
        "SITE_URL": given.get("SITE_URL", f"http://localhost:{ports['COREHOUR_PORT']}"),  # Passkeys need a name.
        "COREHOUR_AGENT_STATE_DIR": str(folder / "agent"),
        "DJANGO_SETTINGS_MODULE": "billingsite.settings",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}",
        "STAFF_SECOND_FACTOR": given.get("STAFF_SECOND_FACTOR", "0"),  # Its operator's log-in is printed, so a code adds nothing.
        "PYTHONUNBUFFERED": "1",  # A program's last words must reach its log.
    }


def leave_settings(folder: Path, shared: Mapping[str, str]) -> None:
    """Write what this start's programs share to run.env (mode 600), so that bin/manage speaks to the same ones."""
    names = ("COREHOUR_", "KAFKA_", "USAGE_", "REDIS_", "VALKEY_", "STAFF_", "SITE_")
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(shared.items()) if name.startswith(names)]
    private_file(folder / "run.env", "".join(lines))


def forget(folder: Path) -> None:
    """Delete what earlier starts kept, and nothing else that may lie in the folder."""
    if os.environ.get("DATABASE_URL"):
        raise Mishap(
            "--reset can only forget the SQLite database in the data folder. Unset DATABASE_URL, or empty that database yourself."
        )
    for pattern in FORGOTTEN:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
