"""A minute of nonsense for the decoder, and that the command finds what is wrong with a decoder that is."""

import argparse
import os
from decimal import Decimal
from typing import Any

import pytest

from benchmarks import fuzz, fuzz_oracle
from benchmarks.fuzz_inputs import Fuzzer, paper_message, seed_message
from tests.benchmarks.command import ENGINE
from usage import wire, wire_errors

SECONDS = float(os.environ.get("FUZZ_SECONDS", "30"))


def _found(inputs: int, *, seed: int = 7) -> list[str]:
    findings: list[str] = fuzz.measure(argparse.Namespace(inputs=inputs, seconds=120.0, seed=seed))["findings"]
    return findings


@pytest.mark.slow
@pytest.mark.skipif(ENGINE == "postgres", reason="no database is involved: the run on SQLite does it")
def test_half_a_minute_of_nonsense_crashes_nothing_and_slips_nothing_in() -> None:
    figures = fuzz.measure(argparse.Namespace(inputs=10**9, seconds=SECONDS, seed=1))

    assert figures["findings"] == []
    assert figures["accepted"] > 1_000
    assert len(figures["refused"]) >= 18


def test_the_two_readers_agree_on_what_a_message_means() -> None:
    for raw in (seed_message(3), paper_message()):
        message = wire.decode(raw, fuzz.LIMITS)

        assert fuzz_oracle.meaning(raw, fuzz.LIMITS) == (message.machine, message.stream, [tuple(row) for row in message.rows])


def _one_too_many_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wire, "MAX_FUTURE_MS", wire.MAX_FUTURE_MS + 1)


def _bounds_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wire, "_check_amounts", lambda *_: None)


def _valid_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wire, "MAX_INTERVAL_MS", wire.MAX_INTERVAL_MS - 1)


def _wrong_rows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wire, "_mean_upct", lambda used, capacity: 100 * wire.MICRO * used // capacity)


def _a_key_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wire_errors, "check", lambda value: {})


def _a_crash(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wire_errors, "_decimal", Decimal)


@pytest.mark.parametrize(
    "plant",
    [_one_too_many_accepted, _bounds_forgotten, _valid_refused, _wrong_rows, _a_key_twice, _a_crash],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_a_planted_fault_of_the_decoder_is_found(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    assert _found(10_000) != []


def test_the_same_seed_makes_the_same_inputs() -> None:
    one, other, third = Fuzzer(5), Fuzzer(5), Fuzzer(6)

    inputs = [one.next() for _ in range(50)]
    assert [other.next() for _ in range(50)] == inputs
    assert [third.next() for _ in range(50)] != inputs
