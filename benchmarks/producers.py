"""A process that is many agents: `python -m benchmarks.producers BOOTSTRAP TOPIC PRODUCERS RATE SECONDS [CONNECTIONS]`.

Each sends a sample at every tick, at once and unbatched; ticks are spread evenly over the interval. A sample ends at its
tick, so whoever has the sample knows when it was due. Up to fifty agents have a connection each. More share those, or fewer:
on this machine the agents' own work would be measured otherwise, which in life is done elsewhere.
"""

import json
import sys
import time
import uuid

from kafka import KafkaProducer

from agent.samples import Host, Sample
from agent.wire import Numbered, encode

MOST_CONNECTIONS = 50
HOST = Host(cores=8, memory_mib=32_768)


class Agent:
    """One machine, its stream and its connection to the broker."""

    def __init__(self, producer: KafkaProducer, topic: str, number: int) -> None:
        self.machine = f"m-{number}"
        self.topic = topic
        self.stream = str(uuid.uuid4())
        self.seq = 0
        self.producer = producer

    def emit(self, end_ms: int, length_ms: int) -> None:
        sample = Sample(end_ms - length_ms, end_ms, cpu_ms=length_ms, memory_mib_ms=2_048 * length_ms, net_rx=self.seq)
        message = encode(self.machine, self.stream, [Numbered(self.seq, HOST, sample)])
        self.producer.send(self.topic, key=message.key, value=message.value, headers=list(message.headers))
        self.seq += 1


def emit_all(agents: list[Agent], *, length_ms: int, rounds: int) -> dict[str, int]:
    """Send every agent's samples at their ticks. Return the first tick and by how much the latest sample was late."""
    first_ms = time.time_ns() // 1_000_000 + 100
    late_ms = 0
    for round_ in range(rounds):
        for number, agent in enumerate(agents):
            due_ms = first_ms + round_ * length_ms + number * length_ms // len(agents)
            time.sleep(max(0.0, due_ms / 1000 - time.time()))
            agent.emit(due_ms, length_ms)
            late_ms = max(late_ms, time.time_ns() // 1_000_000 - due_ms)
    return {"first_ms": first_ms, "late_ms": late_ms, "sent": rounds * len(agents)}


def emit_when_told(agents: list[Agent], connections: list[KafkaProducer], *, length_ms: int, rounds: int) -> None:
    """Connect, say so, emit once a line comes, and print what was done."""
    for connection in connections:
        connection.partitions_for(agents[0].topic)  # Connected before the first tick.
    print(json.dumps({"ready": True}), flush=True)
    if sys.stdin.readline():
        done = emit_all(agents, length_ms=length_ms, rounds=rounds)
        for connection in connections:
            connection.flush()
        print(json.dumps(done), flush=True)
    for connection in connections:
        connection.close()


def main(bootstrap: str, topic: str, producers: int, rate: float, seconds: float, most: int) -> None:
    connections = [KafkaProducer(bootstrap_servers=bootstrap) for _ in range(min(producers, most))]
    agents = [Agent(connections[number % len(connections)], topic, number) for number in range(producers)]
    emit_when_told(agents, connections, length_ms=round(1000 / rate), rounds=max(1, round(seconds * rate)))


if __name__ == "__main__":
    connections = int(sys.argv[6]) if len(sys.argv) > 6 else MOST_CONNECTIONS
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]), connections)
