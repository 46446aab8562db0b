"""One seed, one story: what agents send, what happens to the workers, and what a naive reader of the log would count."""

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from benchmarks import verdict
from tests.usage.build import NOW_MS, V1_HEADERS, body
from tests.usage.simulated import PARTITIONS, Group, Log
from usage.audit import checks
from usage.models import (
    IngestIncident,
    IngestOffset,
    MachineStream,
    RejectedMessage,
    StreamRun,
    UsageBucket,
    UsageSample,
)

MACHINES = ("m-0", "m-1", "m-2")
WRITTEN = (UsageSample, UsageBucket, StreamRun, MachineStream, RejectedMessage, IngestOffset, IngestIncident)
AUDIT_EVERY = 16  # The audit is slow beside a story, and looks at the same things.
QUANTITIES = "cpu_ms, memory_mib_ms, disk_mib_ms, net_rx, net_tx, disk_read, disk_write"
SAMPLE_FIELDS = ("seq", "start", "end", "cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write")


class Broken(AssertionError):
    """What the database holds is not what the log says. The text carries the seed."""


@dataclass
class Fleet:
    """Agents as they are in bad weather: they resend, send out of order, send nonsense and contradict themselves."""

    chance: random.Random
    log: Log
    next_seq: Counter[str] = field(default_factory=Counter)
    held: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def act(self) -> None:
        kind = self.chance.choices(
            ["new", "again", "hold", "release", "nonsense", "contradict", "paper"], [10, 3, 2, 2, 1, 1, 2]
        )[0]
        machine = self.chance.choice(MACHINES)
        if kind == "nonsense":
            self.log.append(self.chance.randrange(PARTITIONS), b"m-0", b"{", V1_HEADERS)
        elif kind == "paper":
            reading = json.dumps({"machine_id": machine, "cpu_usage": 12.5, "memory_usage": 50})
            self.log.append(self.chance.randrange(PARTITIONS), None, reading.encode(), ())
        elif kind == "again" and self.sent:
            self._send(self.chance.choice(self.sent))
        elif kind == "contradict" and self.sent:
            self._send(_contradicting(self.chance.choice(self.sent)))
        elif kind == "release" and self.held:
            self._send(self.held.pop(self.chance.randrange(len(self.held))))
        elif kind == "hold":
            self.held.append(self._message(machine))
        else:
            self._send(self._message(machine))

    def _message(self, machine: str) -> dict[str, Any]:
        first, count = self.next_seq[machine], self.chance.randint(1, 4)
        self.next_seq[machine] += count
        samples = [_sample(seq, self.chance) for seq in range(first, first + count)]
        return body(*samples, machine=machine, stream=str(uuid.UUID(int=1 + MACHINES.index(machine))))

    def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        machine = message["machine"]
        self.log.append(MACHINES.index(machine) % PARTITIONS, machine.encode(), json.dumps(message).encode(), V1_HEADERS)


def _sample(seq: int, chance: random.Random) -> dict[str, Any]:
    """Seven minutes each, so that about every other sample crosses a quarter hour."""
    start = NOW_MS - 60 * 3_600_000 + seq * 420_000
    amounts = {name: chance.randrange(1_000_000) for name in SAMPLE_FIELDS[3:]}
    return {"seq": seq, "start": start, "end": start + 420_000} | amounts


def _contradicting(message: dict[str, Any]) -> dict[str, Any]:
    first, *rest = message["samples"]
    return message | {"samples": [first | {"cpu_ms": first["cpu_ms"] + 1}, *rest]}


@dataclass
class Expected:
    """What a reader with all the time in the world counts: the first content of a sample is the sample."""

    samples: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    states: list[Counter[str]] = field(default_factory=lambda: [Counter() for _ in range(PARTITIONS)])
    readings: int = 0

    @classmethod
    def of(cls, log: Log) -> "Expected":
        expected = cls()
        for partition, records in enumerate(log.records):
            for record in records:
                expected.states[partition][expected._state(record.value or b"")] += 1
        return expected

    def _state(self, value: bytes) -> str:
        if value == b"{":
            return "rejected"
        message = json.loads(value)
        if "machine_id" in message:
            self.readings += 1
            return "stored"
        found = {(message["machine"], s["seq"]): tuple(s[name] for name in SAMPLE_FIELDS) for s in message["samples"]}
        if any(self.samples.get(key, content) != content for key, content in found.items()):
            return "rejected"
        fresh = found.keys() - self.samples.keys()
        self.samples |= found
        return "stored" if fresh else "duplicate"


def run(seed: int) -> None:
    """Play one story. Raise Broken, naming the seed, where the database does not end as the log says."""
    _forget()
    chance = random.Random(seed)  # noqa: S311 a story, no secret
    log = Log()
    group, fleet = Group(log, chance), Fleet(chance, log)
    for _ in range(chance.randint(8, 24)):
        _event(group, fleet, chance)
    group.drain()
    _judge(log, seed)
    if seed % AUDIT_EVERY == 0:
        found = [difference for check in checks() for difference in check.differences]
        _compare(seed, "audit", found, [])


def _event(group: Group, fleet: Fleet, chance: random.Random) -> None:
    kind = chance.choices(
        ["send", "step", "kill", "kill late", "rebalance", "zombie", "lie", "rewind"], [6, 6, 3, 1, 1, 2, 1, 1]
    )[0]
    worker = chance.randrange(len(group.workers))
    if kind == "send":
        for _ in range(chance.randint(1, 6)):
            fleet.act()
    elif kind == "step":
        group.step(worker)
    elif kind == "kill":
        group.step(worker, kill_at=chance.randint(1, 24))
    elif kind == "kill late":
        group.step(worker, kill_after_commit=True)
    elif kind == "rewind":
        group.rewind(worker)
    elif kind == "lie":  # Kafka's committed offset is wherever somebody's tool has put it.
        partition = chance.randrange(PARTITIONS)
        group.log.committed[partition] = chance.randint(0, len(group.log.records[partition]))
    else:
        group.rebalance(zombies=kind == "zombie")


def _forget() -> None:
    with connection.cursor() as cursor:
        for model in WRITTEN:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")  # noqa: S608


def _judge(log: Log, seed: int) -> None:
    """Plain statements: the story is short, and composing queries would take longer than all of it."""
    expected = Expected.of(log)
    rows = _rows(
        f"SELECT code, seq, start_ms, end_ms, {QUANTITIES} FROM usage_usagesample s JOIN usage_machine m ON m.id = machine_id"  # noqa: S608
    )
    stored = {(row[0], row[1]): row[1:] for row in rows if row[2] != row[3]}
    _compare(seed, "samples", stored, expected.samples)
    _compare(seed, "readings", sum(1 for row in rows if row[2] == row[3]), expected.readings)
    books = _rows("SELECT partition, stored, duplicate, rejected FROM usage_ingestoffset")
    states = {row[0]: dict(zip(("stored", "duplicate", "rejected"), row[1:], strict=True)) for row in books}
    _compare(
        seed, "states", [dict(+Counter(states.get(number, {}))) for number in range(PARTITIONS)], list(map(dict, expected.states))
    )
    kept = Counter(dict(_rows("SELECT partition, count(*) FROM usage_rejectedmessage GROUP BY partition")))
    _compare(seed, "rejected messages", kept, +Counter({at: one["rejected"] for at, one in enumerate(expected.states)}))
    _compare(seed, "runs", _rows("SELECT coalesce(sum(hi - lo), 0) FROM usage_streamrun"), [(len(expected.samples),)])
    for code in MACHINES:
        mine = [content for (machine, _), content in expected.samples.items() if machine == code]
        _compare(seed, f"quarter hours of {code}", _stored_quarters(code), quarters(mine))


def _stored_quarters(code: str) -> dict[int, list[int]]:
    """What interval samples gave; a bucket of nothing but readings is left out, and so are readings in the count."""
    rows = _rows(
        f"SELECT start_ms, covered_ms, {QUANTITIES} FROM usage_usagebucket b JOIN usage_machine m ON m.id = machine_id"  # noqa: S608
        " WHERE covered_ms > 0 AND code = %s",
        code,
    )
    return {row[0]: list(row[1:]) for row in rows}


def quarters(samples: Iterable[tuple[int, ...]]) -> dict[int, list[int]]:
    """Covered ms and quantities by quarter hour, split as docs/wire-format.md's samples are: floors, and the rest to the last."""
    sums = verdict.quarters(samples)
    return {start: [covered, *amounts] for start, (covered, _count, *amounts) in sums.items()}


def _compare(seed: int, name: str, found: object, should: object) -> None:
    if found != should:
        raise Broken(f"seed {seed}: {name}: {str(found)[:400]} is not {str(should)[:400]}")


def _rows(statement: str, *values: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
