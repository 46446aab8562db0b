"""The benchmark of the live chart, small: samples move pixels in a real browser."""

import json

import pytest

from tests.benchmarks.command import ENGINE, run

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.skipif(ENGINE != "postgres", reason="It runs on PostgreSQL, once."),
]


def test_samples_move_the_picture() -> None:
    done = run("live", "--agents", "2", "--rate", "2", "--seconds", "2", "--json")

    figures = json.loads(done.stdout)
    assert figures["to_picture_ms"]["count"] >= 2
    assert figures["to_picture_ms"]["p50"] > figures["to_row_ms"]["p50"]
