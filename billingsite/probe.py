"""The self-check's own agent: one sample in wire format 1, sent as any producer would send it."""

import json
import time
import uuid
from dataclasses import dataclass

from kafka import KafkaProducer

from billingsite.demo_keys import signature_headers

SAMPLE_MS = 600_000  # Long enough to stand out from what the demo's machines use meanwhile.
AHEAD_MS = 1_100  # A socket shows one point a second and machine: a little ahead, ours is never the one left out.
MEMORY_MIB = 512


@dataclass(frozen=True)
class Emitted:
    machine: str
    stream: str
    seq: int
    end_ms: int
    cpu_ms: int


class Probe:
    """Speaks for a machine under a stream of its own, so that it gets in nobody's way."""

    def __init__(self, bootstrap: str, topic: str, machine: str, *, cores: int, memory_mib: int) -> None:
        self.topic = topic
        self.machine = machine
        self.host = {"cores": cores, "memory_mib": memory_mib}
        self.stream = str(uuid.uuid4())
        self.seq = 0
        self._producer = KafkaProducer(bootstrap_servers=bootstrap.split(","))

    def emit(self) -> Emitted:
        """Send ten minutes of every core, up to now, and return once the broker has it."""
        end_ms = time.time_ns() // 1_000_000 + AHEAD_MS
        sample = {
            "seq": self.seq, "start": end_ms - SAMPLE_MS, "end": end_ms,
            "cpu_ms": self.host["cores"] * SAMPLE_MS, "memory_mib_ms": min(MEMORY_MIB, self.host["memory_mib"]) * SAMPLE_MS,
            "disk_mib_ms": 0, "net_rx": 0, "net_tx": 0, "disk_read": 0, "disk_write": 0,
        }  # fmt: skip
        value = {"machine": self.machine, "stream": self.stream, "host": self.host, "samples": [sample]}
        headers = {
            "ce_specversion": "1.0",
            "ce_id": f"{self.stream}:{self.seq}",
            "ce_source": f"/machines/{self.machine}",
            "ce_type": "corehour.usage.v1",
            "content-type": "application/json",
        }
        content = json.dumps(value).encode()
        proof = signature_headers(self.machine, headers["ce_type"], self.topic, content)
        self._producer.send(
            self.topic,
            key=self.machine.encode(),
            value=content,
            headers=[*((name, text.encode()) for name, text in headers.items()), *proof],
        ).get(timeout=20)
        emitted = Emitted(self.machine, self.stream, self.seq, end_ms, sample["cpu_ms"])
        self.seq += 1
        return emitted

    def close(self) -> None:
        self._producer.close()
