"""The agent as a process: it starts without a broker, survives being killed, leaves when told, and loses nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from billingsite.broker import EmbeddedKafka, ensure_topic
from billingsite.kafka_node import free_ports
from tests.agent.broker_side import await_true, records, samples


@contextmanager
def running(*flags: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "agent", "run", "--interval", "1", *flags]
    process = subprocess.Popen(command, env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def status(state: Path, machine: str = "web-1") -> dict[str, Any]:
    """What the running agent says of itself; empty while none answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(state / machine / "agent.sock"))
        except OSError:
            return {}
        connection.sendall(b'{"do": "status"}\n')
        with connection.makefile() as answer:
            told: dict[str, Any] = json.loads(answer.readline())["ok"]
        return told


def stopped(process: subprocess.Popen[str]) -> tuple[int, float, str]:
    """Exit code, seconds it took, and what it logged."""
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    return process.returncode, time.monotonic() - started, log


def test_it_keeps_measuring_without_a_broker_and_leaves_within_seconds(state: Path) -> None:
    with running("--machine", "web-1", "--bootstrap", "127.0.0.1:1") as agent:
        await_true(lambda: status(state).get("state") == "offline")
        await_true(lambda: status(state)["waiting"] >= 3)
        code, seconds, log = stopped(agent)

    assert code == 0
    assert seconds < 6
    assert log.count("no answer from the broker at 127.0.0.1:1") == 1  # One line in 30 s.
    assert "samples wait on disk" in log


def test_once_without_a_broker_fails_and_keeps_the_sample(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--once", "--interval", "1", "--machine", "web-1", "--bootstrap", "127.0.0.1:1"])

    assert code == 1
    assert "no answer from the broker at 127.0.0.1:1; the sample waits on disk" in capsys.readouterr().err


@pytest.mark.kafka
@pytest.mark.usefixtures("agent_environment")
def test_once_sends_what_waited_too(kafka_bootstrap: str, topic: str) -> None:
    assert main(["run", "--once", "--interval", "1", "--bootstrap", "127.0.0.1:1"]) == 1

    assert main(["run", "--once", "--interval", "1"]) == 0

    found = samples(records(kafka_bootstrap, topic))
    assert sorted(seq for _, _, seq in found) == [0, 1, 2]  # The first, what counters tell of the time between, the second.


@pytest.mark.kafka
@pytest.mark.usefixtures("agent_environment")
def test_killed_again_and_again_it_loses_and_doubles_nothing(kafka_bootstrap: str, topic: str, state: Path) -> None:
    for _ in range(4):  # `python -m benchmarks agent-chaos` does it fifty times.
        with running() as agent:
            await_true(lambda: status(state).get("written", 0) > 0 and status(state)["recent"])
            agent.send_signal(signal.SIGKILL)
    assert main(["run", "--once", "--interval", "1"]) == 0

    found = samples(records(kafka_bootstrap, topic))  # Fails if one identity has two contents.
    seqs = sorted(seq for _, _, seq in found)
    assert len({stream for _, stream, _ in found}) == 1
    assert seqs == list(range(len(seqs)))
    assert len(seqs) >= 5
    in_order = [found[identity] for identity in sorted(found, key=lambda identity: identity[2])]
    assert all(earlier["end"] <= later["start"] for earlier, later in zip(in_order, in_order[1:], strict=False))


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_that_comes_goes_and_comes_back_costs_nothing(state: Path, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    bootstrap = f"127.0.0.1:{port}"
    with running("--machine", "web-1", "--bootstrap", bootstrap, "--topic", "usage") as agent:
        await_true(lambda: status(state).get("state") == "offline")
        for _ in range(2):
            with EmbeddedKafka(tmp_path / "kafka", port=port):
                ensure_topic(bootstrap, "usage")
                await_true(lambda: status(state)["state"] == "running" and status(state)["waiting"] == 0, within_s=60)
                sent = samples(records(bootstrap, "usage"))
                assert sorted(seq for _, _, seq in sent) == list(range(len(sent)))
            await_true(lambda: status(state)["waiting"] >= 3, within_s=60)
        code, _, log = stopped(agent)

    assert code == 0
    assert log.count("the broker is back") >= 1
    assert "Traceback" not in log
    assert len(log.splitlines()) < 12


@pytest.mark.kafka
@pytest.mark.usefixtures("agent_environment")
def test_the_footprint_is_small(state: Path) -> None:
    psutil = pytest.importorskip("psutil")
    with running() as agent:
        await_true(lambda: status(state).get("last_sent_samples"))
        process = psutil.Process(agent.pid)
        before = sum(process.cpu_times()[:2])
        written = status(state)["written"]
        await_true(lambda: status(state)["written"] >= written + 5)
        used = sum(process.cpu_times()[:2]) - before
        resident = process.memory_info().rss

    assert resident < 60 * 2**20
    assert used / 5 < 0.025  # At 1 s, five times what it does at 5 s: 0.5 % of a core there.
