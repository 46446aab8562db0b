"""The embedded Apache Kafka that development, the demo and the tests use: a real broker, without an installation.

Everything lives in one folder and is kept across restarts. Nothing outlives the process that started it (guard.py).
"""

import base64
import contextlib
import fcntl
import json
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from billingsite import kafka_node
from billingsite.kafka_jars import JarsMissing, jars
from billingsite.kafka_node import HOST, Node

DEFAULT_PORT = 9092
PARTITIONS = 3
PORT_WITHIN_S = 2.0
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
LEAST_FREE_BYTES = 500_000_000


class BrokerError(Exception):
    """The broker could not be started. The text says why and how to mend it."""


class EmbeddedKafka:
    """A cluster of one or three brokers in a folder. `bootstrap` is what clients connect to."""

    def __init__(
        self,
        folder: Path,
        *,
        brokers: int = 1,
        port: int = DEFAULT_PORT,
        more: Callable[[Node], Mapping[str, object]] = lambda node: {},
    ) -> None:
        """`more` gives a node's properties beyond the usual ones, such as another listener."""
        self.folder = folder.absolute()
        self.more = more
        self.ports = [port + offset for offset in range(brokers)]
        self.nodes: list[Node] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.jars = Path()
        self._lock: IO[str] | None = None

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{port}" for port in self.ports)

    def start(self) -> None:
        """Return once every broker answers. Raise BrokerError otherwise, leaving nothing behind that runs."""
        try:
            self._hold_folder()
            self._refuse_bad_surroundings()
            self.jars = jars()
            self.nodes = self._nodes()
            for node in self.nodes:
                kafka_node.write_settings(node, self.nodes, self.more(node))
            self._format()
            self._run()
        except JarsMissing as error:
            self.stop()
            raise BrokerError(str(error)) from error
        except OSError as error:
            self.stop()
            raise BrokerError(
                f"Kafka cannot use {self.folder}: {error.strerror}. Free some space or set COREHOUR_DATA_DIR."
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_WITHIN_S)
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
        self.processes = []
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def wipe(self) -> None:
        """Forget every message ever sent. Raise BrokerError while the broker runs."""
        self._hold_folder()
        for path in self.folder.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def fallen(self) -> Node | None:
        """Return a node whose process has ended, if any."""
        pairs = zip(self.nodes, self.processes, strict=False)
        return next((node for node, process in pairs if process.poll() is not None), None)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _hold_folder(self) -> None:
        """Lock the folder for as long as this process lives: two brokers on the same files would ruin them."""
        if self._lock is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = (self.folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise BrokerError(f"Another broker is running in {self.folder}. Stop it first, or set COREHOUR_DATA_DIR.") from None
        self._lock = lock

    def _refuse_bad_surroundings(self) -> None:
        deadline = time.monotonic() + PORT_WITHIN_S
        while taken := [port for port in self.ports if not kafka_node.is_free(port)]:
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Port {taken[0]} is taken. Stop the program that holds it, or set COREHOUR_KAFKA_PORT to another."
                )
            time.sleep(0.05)  # A broker that was just killed holds its port for a moment.
        free = shutil.disk_usage(self.folder).free
        if free < LEAST_FREE_BYTES:
            raise BrokerError(
                f"Only {free // 1_000_000} MB are free in {self.folder}, and Kafka wants {LEAST_FREE_BYTES // 1_000_000} MB. "
                "Free some space or set COREHOUR_DATA_DIR."
            )

    def _nodes(self) -> list[Node]:
        """Clients know a broker by its port; the controllers find each other anew at every start, on whatever is free."""
        controllers = kafka_node.free_ports(len(self.ports))
        return [
            Node(number, self.folder / f"node-{number}", port, controller)
            for number, (port, controller) in enumerate(zip(self.ports, controllers, strict=True), start=1)
        ]

    def _format(self) -> None:
        """Give a new folder its cluster id. The note is written last, so a folder without one is made again."""
        note = self.folder / "cluster.json"
        if note.exists():
            known = json.loads(note.read_text())["brokers"]
            if known != len(self.nodes):
                raise BrokerError(f"{self.folder} was made with --brokers {known}. Start it so, or empty it with --reset.")
            return
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        for node in self.nodes:
            shutil.rmtree(node.folder, ignore_errors=True)
        with ThreadPoolExecutor() as threads:
            results = list(threads.map(lambda node: kafka_node.format_storage(node, self.jars, cluster_id), self.nodes))
        if failed := next((made for made in results if made.returncode), None):
            raise BrokerError(f"Kafka cannot prepare {self.folder}: {(failed.stderr or failed.stdout).strip()}")
        note.write_text(json.dumps({"cluster_id": cluster_id, "brokers": len(self.nodes)}))

    def _run(self) -> None:
        logged = {node: node.log.stat().st_size if node.log.exists() else 0 for node in self.nodes}
        self.processes = [kafka_node.start(node, self.jars) for node in self.nodes]
        deadline = time.monotonic() + READY_WITHIN_S
        while count_brokers(self.bootstrap) < len(self.nodes):
            if node := self.fallen():
                said = kafka_node.last_error(node, logged[node]) or "nothing"
                raise BrokerError(f"Kafka stopped while starting. Its log {node.log} says: {said}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not answer within {READY_WITHIN_S:.0f} s. See {self.nodes[0].log}")
            time.sleep(0.05)


def count_brokers(bootstrap: str) -> int:
    """Return how many brokers answer, 0 if none does. Cheap while nobody listens."""
    host, port = bootstrap.split(",")[0].rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap.split(","), bootstrap_timeout_ms=2000)) as admin:
            return len(admin.describe_cluster()["brokers"])
    except (OSError, KafkaError):
        return 0


def ensure_topic(bootstrap: str, name: str, *, partitions: int = PARTITIONS) -> bool:
    """Make the topic if it is not there, and wait until it can be used. Return whether it was made."""
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap.split(","))) as admin:
        try:
            admin.create_topics({name: {"num_partitions": partitions}}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            return False
        return True
