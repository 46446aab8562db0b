"""A process that is some agents in bad weather, with a record of its own: `python -m benchmarks.emitters BOOTSTRAP TOPIC ...`.

It sends as many samples as each line of its standard input says; now and then a message again, or later than its turn.
What it sends it first writes down: one line a sample, in a file that only the verdict reads.
"""

import json
import random
import sys
import time
import uuid
from collections import deque
from pathlib import Path

from kafka import KafkaProducer

from agent.samples import Host, Sample
from agent.wire import Message, Numbered, encode

HOST = Host(cores=8, memory_mib=32_768)
LENGTH_MS = 7_001  # So that quarter hours begin in the middle of samples.
MOST_A_MESSAGE = 10
REMEMBERED = 200


class Emitters:
    """Machines number, number + of, number + 2 of and so on, one stream each."""

    def __init__(self, producer: KafkaProducer, topic: str, record: Path, machines: list[int], first_ms: int, seed: int) -> None:
        self.producer = producer
        self.topic = topic
        self.record = record.open("w")
        self.machines = machines
        self.first_ms = first_ms
        self.chance = random.Random(seed)
        self.streams = {number: str(uuid.UUID(int=self.chance.getrandbits(128), version=4)) for number in machines}
        self.next_seq = dict.fromkeys(machines, 0)
        self.sent: deque[Message] = deque(maxlen=REMEMBERED)
        self.held: list[Message] = []
        self.counts = {"samples": 0, "messages": 0, "again": 0}

    def emit(self, samples: int) -> None:
        """Send that many new samples, and whatever else comes along."""
        goal = self.counts["samples"] + samples
        while (left := goal - self.counts["samples"]) > 0:
            message = self._message(min(left, self.chance.randint(1, MOST_A_MESSAGE)))
            fate = self.chance.random()
            if fate < 0.05:
                self.held.append(message)
            else:
                self._send(message)
            if fate > 0.95 and self.sent:
                self._send(self.chance.choice(self.sent))
                self.counts["again"] += 1
            if self.held and fate > 0.9:
                self._send(self.held.pop(self.chance.randrange(len(self.held))))

    def end(self) -> dict[str, int]:
        for message in self.held:
            self._send(message)
        self.producer.flush()
        self.record.close()
        return self.counts

    def _message(self, count: int) -> Message:
        number = self.chance.choice(self.machines)
        first = self.next_seq[number]
        self.next_seq[number] += count
        batch = [self._numbered(number, seq) for seq in range(first, first + count)]
        self.counts["samples"] += count
        return encode(f"m-{number}", self.streams[number], batch)

    def _numbered(self, number: int, seq: int) -> Numbered:
        start, chance = self.first_ms + seq * LENGTH_MS, self.chance
        sample = Sample(
            start_ms=start,
            end_ms=start + LENGTH_MS,
            cpu_ms=chance.randrange(HOST.cores * LENGTH_MS),
            memory_mib_ms=chance.randrange(HOST.memory_mib * LENGTH_MS),
            disk_mib_ms=chance.randrange(10**12),
            net_rx=chance.randrange(10**9),
            net_tx=chance.randrange(10**6),
            disk_read=chance.randrange(10**6),
            disk_write=chance.randrange(10**3),
        )
        fields = (start, sample.end_ms, sample.cpu_ms, sample.memory_mib_ms, sample.disk_mib_ms)
        moved = (sample.net_rx, sample.net_tx, sample.disk_read, sample.disk_write)
        self.record.write(f"m-{number} {seq} {' '.join(map(str, fields + moved))}\n")
        return Numbered(seq, HOST, sample)

    def _send(self, message: Message) -> None:
        self.producer.send(self.topic, key=message.key, value=message.value, headers=list(message.headers))
        self.counts["messages"] += 1
        self.sent.append(message)


def main(bootstrap: str, topic: str, record: str, machines: list[int], samples_a_machine: int, seed: int) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    first_ms = time.time_ns() // 1_000_000 - samples_a_machine * 2 * LENGTH_MS - 3_600_000
    emitters = Emitters(producer, topic, Path(record), machines, first_ms, seed)
    print(json.dumps({"ready": True}), flush=True)
    while (line := sys.stdin.readline()) not in {"", "end\n"}:
        emitters.emit(int(line))
    print(json.dumps(emitters.end()), flush=True)
    producer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
