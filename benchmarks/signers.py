"""A process that is many enrolled agents: `python -m benchmarks.signers BOOTSTRAP TOPIC FIRST AGENTS INTERVAL SECONDS`.

Each signs its own samples with its own key, by the agent's code. Keys follow from the machine's number, so that the process
that registers them (`python -m benchmarks.enrolled AGENTS`) needs to be told nothing.
"""

import hashlib
import sys

from kafka import KafkaProducer

from agent.keys import MachineKey
from agent.samples import Sample
from agent.wire import Numbered, encode
from benchmarks.producers import HOST, Agent, emit_when_told

CONNECTIONS = 10


class Signer(Agent):
    """One machine with a key."""

    def __init__(self, producer: KafkaProducer, topic: str, number: int) -> None:
        super().__init__(producer, topic, number)
        self.key = key_of(number)

    def emit(self, end_ms: int, length_ms: int) -> None:
        sample = Sample(end_ms - length_ms, end_ms, cpu_ms=length_ms, memory_mib_ms=2_048 * length_ms, net_rx=self.seq)
        message = self.key.signed(self.topic, encode(self.machine, self.stream, [Numbered(self.seq, HOST, sample)]))
        self.producer.send(self.topic, key=message.key, value=message.value, headers=list(message.headers))
        self.seq += 1


def key_of(number: int) -> MachineKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return MachineKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"m-{number}".encode()).digest()))


def main(bootstrap: str, topic: str, first: int, agents: int, interval_s: int, seconds: int) -> None:
    connections = [KafkaProducer(bootstrap_servers=bootstrap, acks="all") for _ in range(min(agents, CONNECTIONS))]
    crowd: list[Agent] = [Signer(connections[number % len(connections)], topic, first + number) for number in range(agents)]
    emit_when_told(crowd, connections, length_ms=1000 * interval_s, rounds=max(1, seconds // interval_s))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7]))
