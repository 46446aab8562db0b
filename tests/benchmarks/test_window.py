"""The agent's window under random clicks while its network comes and goes, for seconds: the command runs for half an hour."""

import json
from importlib.util import find_spec
from shutil import which

import pytest

from tests.benchmarks.command import ENGINE, run

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.skipif(ENGINE == "postgres", reason="No database is involved: the run on SQLite does it."),
    pytest.mark.skipif(which("Xvfb") is None or find_spec("_tkinter") is None, reason="It needs python3-tk and xvfb."),
]
A_BUSY_MACHINE_MS = 3_000  # Here the screen's own server has to wait for the cores as well.


def test_clicks_and_keys_raise_nothing_whatever_the_network_does() -> None:
    done = run("window", "--minutes", "0.2", "--most-freeze-ms", str(A_BUSY_MACHINE_MS), "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["errors"] == []
    assert figures["actions"] > 20
    assert figures["came_back"]
