"""The benchmark of many sockets, small: everybody hears every point, and a reader who never reads harms nobody."""

import json

import pytest

from tests.benchmarks.command import ENGINE, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ENGINE != "postgres", reason="It runs on PostgreSQL, once."),
]


def test_everybody_hears_every_point() -> None:
    sizes = ("--sockets", "12", "--slow", "1", "--customers", "2", "--machines", "6", "--seconds", "2")

    done = run("sockets", *sizes, "--json")

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["points_heard"] == "6 of 6"
    assert figures["late_ms"]["count"] == 12 * 6
    assert figures["closed_by_server"] == 0
