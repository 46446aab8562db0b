"""An agent whose machine is a file: `python -m tests.agent.chaos_agent FILE`. All else is the real one.

FILE holds {"cpu_ms", "net_rx", "boot", "clock_ms"}: counters since boot, the boot's name, how far the wall clock is off.
Memory and disk are in use by the same amount all the time. Where FILE says how much has been "done" in all, each reading is
noted in FILE.readings, as the time and what was done by then.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from agent.config import load
from agent.control import Server
from agent.counters import MIB, Reading
from agent.sampler import Clock
from agent.samples import Host
from agent.service import Service

MEMORY_MIB, DISK_MIB = 512, 2_048


class FileMachine:
    """The counters as the file has them now."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.path.read_text())
        return told

    def _note(self, done: dict[str, int]) -> None:
        line = f"{time.time_ns() // 1_000_000} {json.dumps(done)}\n".encode()
        file = os.open(self.path.with_suffix(".readings"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, line)  # In one piece: this process may be killed at any moment.
        os.close(file)

    def host(self) -> Host:
        return Host(cores=1_000, memory_mib=1_024)

    def read(self) -> Reading:
        told = self.told()
        if "done" in told:
            self._note(told["done"])
        return Reading(told["cpu_ms"], MEMORY_MIB * MIB, DISK_MIB * MIB, {"eth0": told["net_rx"]}, {}, {}, {})


def main(path: Path) -> None:
    machine = FileMachine(path)
    clock = Clock(wall_ns=lambda: time.time_ns() + machine.told()["clock_ms"] * 1_000_000)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    service = Service(load({}, os.environ), machine, clock, machine.told()["boot"])
    server = Server(service, stop.set)
    server.start()
    service.run(stop)
    server.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
