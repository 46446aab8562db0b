"""The ingest benchmark, small: its figures are of a real drain, and its parts are not left behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)


def test_it_drains_the_topic_and_says_how_fast() -> None:
    sizes = ("--samples", "400", "--packed-samples", "1200", "--machines", "10", "--runs", "1", "--paper-seconds", "1")

    run = _run("ingest", "--engine", "sqlite", "--json", *sizes)

    assert run.returncode == 0, run.stderr
    figures: dict[str, Any] = json.loads(run.stdout)
    stored = {name: figures["sqlite"][name]["samples"] for name in ("one_a_message", "packed", "two_workers")}
    assert stored == {"one_a_message": 400, "packed": 1200, "two_workers": 400}
    assert figures["sqlite"]["one_a_message"]["rejected"] == 0
    assert figures["paper"]["messages"] > 0
    assert figures["sqlite"]["times_the_paper"] > 0


def test_an_unknown_benchmark_is_refused() -> None:
    run = _run("speed-of-light")

    assert run.returncode == 2
    assert "speed-of-light" in run.stderr
