"""Nonsense for the decoder: millions of changed messages, each judged by a second, plain reader of the wire format.

A finding is a crash, a message accepted that is not valid or with other rows, or a valid one refused.
"""

import argparse
import re
import time
from collections import Counter
from typing import Any

from benchmarks import fuzz_oracle
from benchmarks.facts import facts
from benchmarks.fuzz_inputs import NOW_MS, Fuzzer
from benchmarks.places import say
from usage.payload import editable, hexadecimal, readable
from usage.wire import Limits, RawMessage, claimed_machine, decode
from usage.wire_errors import Refused, claimed_span

LIMITS = Limits(now_ms=NOW_MS, max_age_ms=35 * 86_400_000)
MOST_FINDINGS = 20
DESK_EVERY = 50  # What the desk shows of a refused message is slow to make.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--inputs", type=int, default=20_000_000, help="how many at most (20000000)")
    parser.add_argument("--seconds", type=float, default=1_800.0, help="how long at most (1800)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs (1)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    fuzzer, tally = Fuzzer(options.seed), Tally()
    began = said = time.monotonic()
    while tally.inputs < options.inputs and len(tally.findings) < MOST_FINDINGS:
        tally.attempt(fuzzer)
        if tally.inputs % 256 == 0:
            now = time.monotonic()
            if now - began > options.seconds:
                break
            if now - said > 60:
                said = now
                say(f"{tally.inputs:,} inputs, {len(tally.outcomes)} outcomes, {len(tally.findings)} findings")
    seconds = time.monotonic() - began
    return {
        "machine": facts([]),
        "seed": options.seed,
        "inputs": tally.inputs,
        "seconds": round(seconds, 1),
        "inputs_per_s": round(tally.inputs / seconds),
        "accepted": tally.accepted,
        "refused": dict(tally.refused.most_common()),
        "outcomes": len(tally.outcomes),
        "findings": tally.findings,
        "failed": bool(tally.findings),
    }


class Tally:
    """What became of the inputs so far. A new outcome makes its input worth changing further."""

    def __init__(self) -> None:
        self.inputs = 0
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.outcomes: set[str] = set()
        self.findings: list[str] = []
        self.found: Counter[str] = Counter()

    def find(self, what: str, raw: RawMessage) -> None:
        """Note a finding; of those that read alike the first three."""
        kind = _without_details(what)
        self.found[kind] += 1
        if self.found[kind] <= 3:
            self.findings.append(f"{what[:200]}: {str(raw)[:2000]}")

    def attempt(self, fuzzer: Fuzzer) -> None:
        raw = fuzzer.next()
        self.inputs += 1
        outcome = self._outcome(raw)
        if len(self.outcomes) < 5_000 and outcome not in self.outcomes:
            self.outcomes.add(outcome)
            fuzzer.keep(raw)

    def _outcome(self, raw: RawMessage) -> str:
        try:
            outcome = self._decoded(raw)
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
            self.find(f"crash: {outcome}", raw)
        return _without_details(outcome)

    def _decoded(self, raw: RawMessage) -> str:
        meaning = _meaning(raw)
        try:
            message = decode(raw, LIMITS)
        except Refused as refused:
            self.refused[refused.reason] += 1
            if isinstance(meaning, tuple):
                self.find(f"valid, but refused as {refused}", raw)
            if self.inputs % DESK_EVERY == 0:
                _show(raw)
            return str(refused)
        self.accepted += 1
        found = (message.machine, message.stream, [tuple(row) for row in message.rows])
        if meaning == "invalid" or (isinstance(meaning, tuple) and found != meaning):
            self.find("accepted, but not valid" if meaning == "invalid" else "accepted, but with other rows", raw)
        if not all(type(number) is int and 0 <= number < 2**63 for row in message.rows for number in row):
            self.find("accepted beyond what a column holds", raw)
        return f"accepted {message.version} {len(message.rows) == 1}"


def _without_details(outcome: str) -> str:
    return re.sub(r"\d+|'.*'|\".*\"", "#", outcome)[:120]


def _meaning(raw: RawMessage) -> Any:
    try:
        return fuzz_oracle.meaning(raw, LIMITS)
    except fuzz_oracle.Invalid:
        return "invalid"
    except fuzz_oracle.Open:
        return "open"


def _show(raw: RawMessage) -> None:
    """What the books and the desk do with a refused message must not fail either."""
    value = raw.value or b""
    claimed_machine(raw)
    claimed_span(value)
    readable(value), hexadecimal(value), editable(value)


def text(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['inputs']:,} inputs in {figures['seconds']:,} s ({figures['inputs_per_s']:,}/s) from seed {figures['seed']}: "
        f"{figures['accepted']:,} accepted, "
        f"{sum(figures['refused'].values()):,} refused, {figures['outcomes']} different outcomes",
        "  " + ", ".join(f"{reason} {count:,}" for reason, count in figures["refused"].items()),
        f"{len(figures['findings'])} findings",
    ]
    return "\n".join([*lines, *figures["findings"]])
