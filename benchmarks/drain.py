"""A process that is one worker with a watch in its hand: `python -m benchmarks.drain`.

It joins the group, prints a line, waits for a line, stores what its partitions hold, and prints how long each step took.
"""

import argparse
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

STALL_S = 60.0
POLL_S = 1.0


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--partitions", type=int, required=True, help="how many the worker waits for")
    parser.add_argument("--max-records", type=int, default=20_000)
    options = parser.parse_args(arguments)
    django.setup()
    from django.conf import settings

    from usage.broker import usage_consumer
    from usage.worker import Worker, spare_the_collector

    spare_the_collector()
    watch = Watch()
    watch.put_on()
    worker = Worker(
        usage_consumer(max_poll_records=options.max_records),
        settings.USAGE_TOPIC,
        max_age_ms=settings.USAGE_MAX_AGE_DAYS * 86_400_000,
        max_records=options.max_records,
    )
    join(worker, options.partitions)
    print(json.dumps({"ready": True}), flush=True)
    if sys.stdin.readline():
        print(json.dumps(drain(worker, watch)), flush=True)
        sys.stdin.readline()  # Leaving the group now would disturb the others.
    worker.close()


class Watch:
    """Seconds spent in each step of the worker, between its start and its last commit."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def put_on(self) -> None:
        """Measure the product's own functions, from outside."""
        from usage import ingest
        from usage.worker import Worker

        self._measure("fetch", Worker, "_poll")
        self._measure("decode", ingest, "decode_all")
        self._measure("write", ingest, "_write")
        for name in ("of_batch", "take_plain", "others", "classify", "gains"):
            self._measure("judge", ingest, name)

    def steps(self) -> dict[str, float]:
        """Seconds by step. Judging happens while the transaction is open, and is no writing."""
        judging = self.seconds.get("judge", 0.0)
        return self.seconds | {"write": self.seconds.get("write", 0.0) - judging}

    def _measure(self, step: str, owner: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def measured(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

        setattr(owner, name, measured)


def join(worker: Any, partitions: int) -> None:
    """Wait until the group has given the worker so many partitions. Raise TimeoutError where it does not.

    Polls are long, because each begins joining anew: with short ones a busy machine never gets through.
    """
    deadline = time.monotonic() + STALL_S
    while len(worker.consumer.assignment()) != partitions:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the group gave the worker {len(worker.consumer.assignment())} of {partitions} partitions")
        worker._poll(POLL_S)


def drain(worker: Any, watch: Watch) -> dict[str, Any]:
    """Store everything up to the end of the worker's partitions as it is now. Raise TimeoutError where nothing moves."""
    ends = worker.ends()
    while not worker.positions:
        worker.step(POLL_S)  # Asks the database where to begin; stores nothing yet.
    watch.seconds.clear()
    began, cpu, moved = time.time(), time.process_time(), time.monotonic()
    while any(row.next_offset < ends[tp.partition] for tp, row in worker.positions.items()):
        if worker.step(POLL_S).stored:
            moved = time.monotonic()
        elif time.monotonic() - moved > STALL_S:
            raise TimeoutError(f"nothing was stored for {STALL_S:.0f} s")
    return {
        "samples": worker.total.samples_stored,
        "messages": worker.total.stored,
        "rejected": worker.total.rejected,
        "began": began,
        "ended": time.time(),
        "cpu_s": time.process_time() - cpu,
        "steps_s": watch.steps(),
        "peak_mb": peak_mb(),
    }


def peak_mb() -> int:
    """The most memory that this process has held. What `getrusage` says begins, on Linux, with its parent's."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) // 1024 if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main(sys.argv[1:])
