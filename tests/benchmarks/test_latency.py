"""The latency benchmark, small: from real producers to rows and to a real socket, and a clear word where a part is missing."""

import json
from typing import Any

import pytest

from benchmarks.facts import percentile
from tests.benchmarks.command import ENGINE, run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_samples_arrive_as_rows_and_on_the_socket() -> None:
    done = run("latency", "--producers", "3", "--rate", "2", "--seconds", "2", "--engine", ENGINE, "--json")

    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)[ENGINE]
    assert figures["to_row_ms"]["count"] == 3 * 2 * 2
    assert 0 < figures["to_row_ms"]["p50"] <= figures["to_row_ms"]["p99"] <= figures["to_row_ms"]["max"]
    assert figures["to_socket_ms"]["p50"] > figures["to_row_ms"]["p50"]


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([30, 10, 20], 50) == 20
    assert percentile(range(1, 101), 99) == 99
    assert percentile([7], 99) == 7
