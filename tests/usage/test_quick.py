"""The short cut takes what the careful reader takes, with the same values, and nothing else."""

import random
from typing import Any

import pytest

from benchmarks.fuzz_inputs import Fuzzer
from tests.usage.build import LIMITS, STREAM, body, paper, raw, sample
from usage import quick, wire
from usage.wire import RawMessage
from usage.wire_errors import Refused

HEADERS = raw(body()).headers


def _careful(message: RawMessage) -> Any:
    try:
        return wire.decode(message, LIMITS)
    except Refused:
        return None


def test_an_ordinary_message_is_taken_with_the_same_values() -> None:
    message = raw(body(sample(7), sample(8)))

    assert quick.plain(message, LIMITS) == wire.decode(message, LIMITS)
    assert quick.plain(message, LIMITS) is not None


@pytest.mark.parametrize(
    "message",
    [
        raw(body(sample(0, gpu_ms=3))),
        raw(body(sample(0, cpu_ms=-1))),
        raw(body(sample(0), sample(1, end=sample(1)["start"]))),
        raw(body(), headers=HEADERS[:1] + HEADERS[2:]),
        raw(body(), headers=(*HEADERS, HEADERS[0])),
        raw(body(), key=b"web-2"),
        raw(body(), key=None),
        raw(b"{"),
        raw(b"", value=None),
        paper({"machine_id": "web-1", "cpu_usage": 1, "memory_usage": 1}),
    ],
    ids=[
        "unknown field",
        "negative",
        "empty interval",
        "no source",
        "header twice",
        "foreign",
        "no key",
        "cut",
        "empty",
        "paper",
    ],
)
def test_whatever_is_in_doubt_is_left_to_the_careful_reader(message: RawMessage) -> None:
    assert quick.plain(message, LIMITS) is None


def test_a_refusal_carries_the_careful_readers_reason() -> None:
    with pytest.raises(Refused) as refused:
        quick.decode(raw(body(sample(0, cpu_ms=84_001))), LIMITS)

    assert refused.value.reason == "too_much_cpu"
    assert quick.decode(raw(body(sample(0, cpu_ms=84_000))), LIMITS).rows[0].cpu_ms == 84_000


@pytest.mark.parametrize("seed", range(5))
def test_numbers_at_every_edge_are_judged_alike(seed: int) -> None:
    chance = random.Random(seed)
    edges = [0, 1, 2**31, 2**63 - 2, 2**63 - 1, 2**63, 3_600_000, 10_000, 80_000, 84_000, 84_001, -1]
    taken = 0
    for _ in range(400):
        changes = {chance.choice(list(sample())): chance.choice(edges) for _ in range(chance.randint(0, 2))}
        message = raw(body(sample(chance.randrange(3)), sample(5, **changes), stream=chance.choice([str(STREAM), "x"])))
        found = quick.plain(message, LIMITS)
        taken += found is not None
        assert found is None or found == _careful(message)
        assert found is not None or _careful(message) is None

    assert taken > 20


def test_changed_messages_are_never_taken_with_other_values() -> None:
    fuzzer = Fuzzer(11)

    for _ in range(3_000):
        message = fuzzer.next()
        found = quick.plain(message, LIMITS)
        assert found is None or found == _careful(message)
