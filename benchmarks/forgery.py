"""Altered copies of messages that an agent has signed: not one may pass the check that stands before their meaning is read.

Besides, how many messages a second one core checks.

The exit code is 1 if one does, or if the check refuses the messages as they were signed.
"""

import argparse
import random
import time
from collections import Counter
from typing import Any

import msgspec

from agent.samples import Host, Sample
from agent.wire import Numbered, encode
from benchmarks.facts import facts, facts_text
from benchmarks.signers import key_of
from usage.signing import KnownKey, check
from usage.wire import RawMessage
from usage.wire_errors import Refused

NOW_MS = 1_764_028_800_000
TOPIC, STREAM = "resource_usage", "0192f1e4-0000-7000-8000-000000000000"
HOST = Host(cores=8, memory_mib=32_768)
SIGNED_HEADERS = ("ce_type", "keyid", "signature")
CHECKS = 20_000
PLACES = ("value", "value", "value", "key", "topic", *SIGNED_HEADERS)
Known = dict[str, KnownKey]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mutations", type=int, default=100_000, help="how many altered messages (100000)")
    parser.add_argument("--seed", type=int, default=6, help="the same seed makes the same alterations (6)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    known, originals = signed_messages()
    refused: Counter[str] = Counter()
    accepted: list[str] = []
    untouched = sum(verdict(raw, known) is None for raw in originals)
    rate = checks_a_s(originals, known, min(CHECKS, options.mutations))
    chance, began = random.Random(options.seed), time.monotonic()
    for number in range(options.mutations):
        place, altered = mutation(originals[number % len(originals)], chance)
        reason = verdict(altered, known)
        if reason is None:
            accepted.append(f"{place}: {altered}")
        else:
            refused[f"{place}: {reason}"] += 1
    return {
        "machine": facts([]),
        "seed": options.seed,
        "mutations": options.mutations,
        "seconds": round(time.monotonic() - began, 1),
        "refused": dict(sorted(refused.items())),
        "accepted": accepted[:20],
        "checks_a_core_s": rate,
        "untouched_accepted": f"{untouched} of {len(originals)}",
        "failed": bool(accepted) or untouched != len(originals),
    }


def signed_messages() -> tuple[Known, list[RawMessage]]:
    """Messages of two machines, of one sample and of many, and the keys by which they are judged."""
    known: Known = {}
    made: list[RawMessage] = []
    for number in range(2):
        key, machine = key_of(number), f"m-{number}"
        known[key.id] = KnownKey(machine.encode(), key.public)
        for count in (1, 12):
            message = key.signed(TOPIC, encode(machine, STREAM, [_numbered(seq) for seq in range(count)]))
            made.append(RawMessage(TOPIC, "", 0, len(made), NOW_MS, message.key, message.value, message.headers))
    return known, made


def checks_a_s(originals: list[RawMessage], known: Known, count: int) -> int:
    """Right messages of one sample that a core checks in a second of its own time."""
    began = time.process_time()
    for _ in range(count):
        check(originals[0], known, NOW_MS)
    return round(count / (time.process_time() - began))


def _numbered(seq: int) -> Numbered:
    end_ms = NOW_MS - 60_000 + 1_000 * seq
    return Numbered(seq, HOST, Sample(end_ms - 1_000, end_ms, cpu_ms=700, memory_mib_ms=2_048_000, net_rx=seq))


def verdict(raw: RawMessage, known: Known) -> str | None:
    """Why the message is refused; None where it is accepted."""
    try:
        check(raw, known, NOW_MS)
    except Refused as refused:
        return refused.reason
    return None


def mutation(message: RawMessage, chance: random.Random) -> tuple[str, RawMessage]:
    """The message with one to three bytes changed, added or lost, and where: in what is signed, or in who signed it."""
    while True:
        place = chance.choice(PLACES)
        before = _at(message, place)
        after = bytearray(before)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(after) + 1)
            after[at : at + chance.randint(0, 1)] = chance.randbytes(chance.randint(0, 1))
        if bytes(after) != before:
            return place, _with(message, place, bytes(after))


def _at(message: RawMessage, place: str) -> bytes:
    if place in SIGNED_HEADERS:
        return dict(message.headers)[place]
    return {"value": message.value or b"", "key": message.key or b"", "topic": message.topic.encode()}[place]


def _with(message: RawMessage, place: str, content: bytes) -> RawMessage:
    if place == "topic":
        return msgspec.structs.replace(message, topic=content.decode("latin-1"))
    if place in ("value", "key"):
        return msgspec.structs.replace(message, **{place: content})
    headers = tuple((name, content if name == place else value) for name, value in message.headers)
    return msgspec.structs.replace(message, headers=headers)


def text(figures: dict[str, Any]) -> str:
    refused = ", ".join(f"{count:,} {how}" for how, count in figures["refused"].items())
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['mutations']:,} altered messages in {figures['seconds']:g} s, seed {figures['seed']}: "
            f"{len(figures['accepted'])} accepted; refused: {refused}",
            f"as they were signed: {figures['untouched_accepted']} accepted",
            f"a core checks {figures['checks_a_core_s']:,} messages a second",
            *figures["accepted"],
        ]
    )
