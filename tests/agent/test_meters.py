"""The meters of the machine that runs the tests."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from agent.meters import Meters
from agent.sampler import Sampler
from agent.samples import Sample


def sampled_while(work: Callable[[], object]) -> Sample:
    sampler = Sampler(Meters())
    work()
    (sample,) = sampler.take()
    return sample


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_the_host_is_this_machine() -> None:
    host = Meters().host()

    assert 1 <= host.cores <= (psutil.cpu_count() or 1)
    assert 64 < host.memory_mib <= psutil.virtual_memory().total // 2**20


def test_cpu_that_was_burnt_is_measured() -> None:
    sample = sampled_while(lambda: burn(0.3))

    assert 250 <= sample.cpu_ms <= sample.duration_ms * Meters().host().cores


def test_memory_in_use_is_what_psutil_says() -> None:
    sample = sampled_while(lambda: threading.Event().wait(0.05))

    memory = psutil.virtual_memory()
    expected = (memory.total - memory.available) // 2**20
    assert abs(sample.memory_mib_ms // sample.duration_ms - expected) < 512


def test_bytes_written_are_measured(tmp_path: Path) -> None:
    def write() -> None:
        with (tmp_path / "block").open("wb") as file:
            file.write(os.urandom(4 * 2**20))
            file.flush()
            os.fsync(file.fileno())

    assert sampled_while(write).disk_write >= 4 * 2**20


def test_loopback_is_not_the_network() -> None:
    assert not {"lo", "lo0"} & Meters().read().net_rx.keys()
