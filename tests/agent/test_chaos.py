"""Everything that happens to an agent at once, and the sum of its samples is what its machine's counters counted.

Killed, cut off, swallowed by the network, clock set forth and back, rebooted. COREHOUR_CHAOS_KILLS=50 makes it long.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from billingsite.kafka_node import free_ports
from tests.agent.broker_side import await_true, records, samples
from tests.agent.fault_proxy import proxy
from tests.agent.test_run import status

KILLS = int(os.environ.get("COREHOUR_CHAOS_KILLS", "5"))
HOUR_MS = 3_600_000
pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Machine:
    """Works all the time, in steps that are the same in every run; the file shows its counters, the totals what was used."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.counters: dict[str, Any] = {"cpu_ms": 1_000, "net_rx": 2**32 - 3_000, "boot": "b1", "clock_ms": 0}
        self.used = {"cpu_ms": 0, "net_rx": 0}
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self.write()

    def write(self) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(self.counters))
        draft.replace(self.path)

    def work(self) -> None:
        """One step: CPU time, and bytes on a counter of 32 bits, which wraps."""
        with self._lock:
            for name in ("cpu_ms", "net_rx"):
                amount = self._dice.randint(0, 400)
                self.used[name] += amount
                self.counters[name] = (self.counters[name] + amount) % 2**32
            self.write()

    def set_clock(self, by_ms: int) -> None:
        with self._lock:
            self.counters["clock_ms"] = by_ms
            self.write()

    def reboot(self) -> None:
        with self._lock:
            self.counters |= {"cpu_ms": 0, "net_rx": 0, "boot": "b2"}
            self.write()


@contextmanager
def agent(machine: Machine, port: int, topic: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {"COREHOUR_MACHINE": "web-1", "COREHOUR_AGENT_INTERVAL": "1", "USAGE_TOPIC": topic}
    command = [sys.executable, "-m", "tests.agent.chaos_agent", str(machine.path)]
    where = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}
    process = subprocess.Popen(command, env={**os.environ, **environ, **where}, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def await_samples(machine: Machine, state: Path, count: int) -> None:
    """Let the machine work until the agent has that many samples more on its disk."""
    await_true(lambda: "written" in status(state), within_s=60)
    wanted = status(state)["written"] + count

    def reached() -> bool:
        machine.work()
        return bool(status(state).get("written", 0) >= wanted)

    await_true(reached, within_s=60)


def test_whatever_happens_the_samples_add_up_to_the_counters(
    kafka_bootstrap: str, topic: str, state: Path, tmp_path: Path
) -> None:
    machine, dice = Machine(tmp_path / "machine.json", seed=6), random.Random(6)
    port = free_ports(1)[0]
    with proxy(port, int(kafka_bootstrap.rsplit(":", 1)[1])) as network:
        for turn in range(KILLS):
            network.set(("open", "hole", "cut")[turn % 3])
            machine.set_clock((0, HOUR_MS, -HOUR_MS, 0)[turn % 4])
            with agent(machine, port, topic) as process:
                await_samples(machine, state, dice.randint(1, 2))
                process.send_signal(signal.SIGKILL)
            machine.work()  # While no agent runs: the counters remember.
        with agent(machine, port, topic):
            await_samples(machine, state, 1)
            used = machine.used.copy()
            await_quiet(state)  # All that was used is in a sample now, so that a reboot forgets nothing.
        machine.reboot()
        machine.set_clock(0)
        network.set("open")
        with agent(machine, port, topic):
            await_samples(machine, state, 2)
            await_quiet(state)
            await_true(lambda: status(state).get("waiting") == 0, within_s=120)

    found = samples(records(kafka_bootstrap, topic))
    assert used != machine.used
    assert {name: sum(sample[name] for sample in found.values()) for name in machine.used} == machine.used
    assert sorted(seq for _, _, seq in found) == list(range(len(found)))


def await_quiet(state: Path) -> None:
    """Until two samples have come since the machine last worked."""
    wanted = status(state)["written"] + 2
    await_true(lambda: status(state).get("written", 0) >= wanted, within_s=60)
