"""What is wrong on this machine and how to mend it, checked from the disk outwards."""

import shutil
import sqlite3
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from agent import cautions, control, identity, keys, private, remote
from agent.config import Config, in_the_open
from agent.publisher import explain
from agent.server import Server, ServerProblem

LEAST_FREE_MIB = 200
MOST_SKEW_S = 5.0
BROKER_MS = 5_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, whether it is well, and what was seen or is to be done."""

    what: str
    well: bool
    words: str


def examine(config: Config) -> Iterator[Finding]:
    yield _agent(config)
    yield _folder(config)
    yield _spool(config)
    yield _broker(config)
    yield _key(config)
    if config.server:
        yield _server(config.server)
    if in_the_open(config.server) and not config.plaintext:
        yield Finding("encryption", False, cautions.open_server(config))


def _agent(config: Config) -> Finding:
    try:
        snapshot = control.ask(config.spool_path.parent, {"do": "status"})
    except (control.NotRunning, control.ControlError) as error:
        return Finding("agent", False, str(error))
    said = f"{snapshot['state']}, {snapshot['waiting']} samples waiting"
    if snapshot["state"] in ("needs attention", "offline"):
        return Finding("agent", False, f"{said}: {snapshot['trouble'] or 'the disk or the spool is full'}")
    return Finding("agent", True, said)


def _key(config: Config) -> Finding:
    """A key that the server does not take is found out only by asking: Kafka takes any message."""
    try:
        key = keys.load(config.key_path)
    except keys.KeyProblem as problem:
        return Finding("key", False, str(problem))
    if key is None:
        return Finding("key", False, cautions.NOT_ENROLLED)
    if not config.server:
        return Finding("key", True, f"{key.id}, mode 600; no server is set to ask whether it counts")
    try:
        remote.told(Server(config.server, key), str(uuid.uuid4()))
    except ServerProblem as problem:
        if problem.status == remote.REFUSED:
            return Finding("key", False, f"{config.server} refuses {key.id}: {problem} {identity.REMEDY}")
        return Finding("key", True, f"{key.id}, mode 600; whether it counts could not be asked: {problem}")
    return Finding("key", True, f"{key.id}, mode 600; {config.server} takes it")


def _folder(config: Config) -> Finding:
    folder = config.spool_path.parent
    probe = folder / "doctor"
    try:
        private.folder(folder)
        private.touch(probe)
        probe.unlink()
    except private.FolderProblem as problem:
        return Finding("state folder", False, str(problem))
    except OSError as error:
        return Finding("state folder", False, f"cannot write to {folder}: {error.strerror}. Mend its owner or give --state-dir.")
    free_mib = shutil.disk_usage(folder).free // 2**20
    if free_mib < LEAST_FREE_MIB:
        return Finding("state folder", False, f"only {free_mib} MiB are free at {folder}: make room, or new samples will be lost")
    return Finding("state folder", True, f"{folder}, {free_mib} MiB free")


def _spool(config: Config) -> Finding:
    if not config.spool_path.exists():
        return Finding("spool", True, "none yet; the first run makes it")
    try:
        db = sqlite3.connect(f"file:{config.spool_path}?mode=ro", uri=True)
        try:
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            db.close()
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        return Finding("spool", False, f"{config.spool_path}: {verdict}. The next start sets it aside and begins a new one.")
    return Finding("spool", True, f"{config.spool_path.stat().st_size / 2**20:.1f} of {config.spool_mib} MiB")


def _broker(config: Config) -> Finding:
    from kafka import KafkaConsumer  # A consumer without a group only asks; a producer could create the topic.

    broker = config.broker()
    try:
        consumer = KafkaConsumer(**broker.options(), bootstrap_timeout_ms=BROKER_MS, client_id="corehour-agent-doctor")
        try:
            topics = consumer.topics()
        finally:
            consumer.close()
    except Exception as error:  # whatever it is, it is the finding
        return Finding("broker", False, explain(error, broker) + ". Check KAFKA_BOOTSTRAP_SERVERS and the network.")
    if broker.topic not in topics:
        return Finding("broker", False, f"topic {broker.topic} is not on {broker.bootstrap}: create it or check USAGE_TOPIC")
    return Finding("broker", True, f"{broker.bootstrap} answers and has topic {broker.topic}")


def _server(server: str) -> Finding:
    """The server's clock is the one that decides what lies in the future or is too old."""
    try:
        with urllib.request.urlopen(server, timeout=5) as answer:  # noqa: S310 - the configuration allows http and https only
            date = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        date = error.headers.get("Date")
    except (OSError, ValueError, HTTPException) as error:
        return Finding("server", False, f"{server} does not answer: {error}. Check COREHOUR_AGENT_SERVER.")
    skew_s = time.time() - parsedate_to_datetime(date).timestamp() if date else 0.0
    if abs(skew_s) > MOST_SKEW_S:
        way = "ahead of" if skew_s > 0 else "behind"
        return Finding(
            "clock",
            False,
            f"this clock is {abs(skew_s):.0f} s {way} the server's; samples carry the server's time meanwhile: "
            "start a time service such as chrony",
        )
    return Finding("server", True, f"{server} answers, clocks agree within {MOST_SKEW_S:.0f} s")
