"""`manage.py kafka` as a person starts and stops it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from billingsite.kafka_node import free_ports

from .test_broker import await_true, processes_in

pytestmark = pytest.mark.kafka


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    port = str(free_ports(1)[0])
    return subprocess.Popen(
        [sys.executable, "manage.py", "kafka", *arguments],
        env={**os.environ, "COREHOUR_DATA_DIR": str(folder), "COREHOUR_KAFKA_PORT": port},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path) as command:
        assert command.stdout is not None
        lines = iter(command.stdout.readline, "")
        said = [next(line for line in lines if line.startswith(("Ready", "CommandError")))]

        command.send_signal(number)
        said += list(lines)

    assert said[0].startswith("Ready after ")
    assert said[-1] == "Stopped, messages kept\n"
    assert command.returncode == 0
    assert await_true(lambda: processes_in(tmp_path) == [])


def test_a_second_one_beside_a_running_one_is_refused(tmp_path: Path) -> None:
    with start(tmp_path) as first:
        assert first.stdout is not None
        while not first.stdout.readline().startswith("Ready"):
            assert first.poll() is None

        with start(tmp_path) as second:
            said, _ = second.communicate(timeout=30)
        first.terminate()

    assert "Another broker is running in" in said
    assert second.returncode == 1
