"""The ingest benchmark, small: its figures are of a real drain, and a missing part ends it with a sentence."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.command import ENGINE, run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SMALL = ("--samples", "400", "--packed-samples", "1200", "--machines", "10", "--runs", "1", "--paper-seconds", "1")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder through which PostgreSQL's own account may pass, which pytest's do not allow."""
    with tempfile.TemporaryDirectory(prefix="corehour-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def test_it_drains_the_topic_and_says_how_fast(open_folder: Path) -> None:
    done = run("ingest", "--engine", ENGINE, "--json", *SMALL, TMPDIR=str(open_folder))

    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    known = figures[ENGINE]
    assert (known["one_a_message"]["samples"], known["packed"]["samples"]) == (400, 1200)
    assert known["one_a_message"]["rejected"] == 0
    assert known["two_workers"]["samples"] == 400
    assert set(known["packed"]["share"]) == {"fetch", "decode", "judge", "write"}
    assert known["times_the_paper"] > 0
    assert figures["paper"]["messages"] > 0
    assert list(open_folder.iterdir()) == []


def test_a_worker_that_takes_too_much_memory_is_told(open_folder: Path) -> None:
    small = ("--samples", "3000", "--machines", "10", "--engine", ENGINE, "--json")

    done = run("memory", *small, TMPDIR=str(open_folder))
    too_much = run("memory", *small, "--limit-mb", "20", TMPDIR=str(open_folder))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[ENGINE]["samples"] == 3000
    assert too_much.returncode == 1
    assert json.loads(too_much.stdout)["failed"] is True


def test_without_the_brokers_programs_it_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "a file where the cache should be"
    blocked.touch()

    done = run("ingest", *SMALL, COREHOUR_CACHE_DIR=str(blocked / "cache"))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("ingest: ")
    assert "Traceback" not in done.stderr


def test_an_unknown_benchmark_is_refused() -> None:
    done = run("speed-of-light")

    assert done.returncode == 2
    assert "speed-of-light" in done.stderr
