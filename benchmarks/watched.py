"""A process that is the product's worker, live push included, and notes when each sample was committed.

`python -m benchmarks.watched` joins the group, prints a line, works until it is sent a line, stores the rest, and prints
[machine, end of the sample, time of the commit] of every sample, and how many rows the database holds.
"""

import json
import sys
import threading
import time
from typing import Any

import django

from benchmarks.drain import POLL_S, join
from billingsite.broker import PARTITIONS


def main() -> None:
    django.setup()
    from django.conf import settings

    from usage.broker import usage_consumer
    from usage.live import LivePush
    from usage.models import UsageSample
    from usage.worker import Worker, spare_the_collector

    committed: list[tuple[str, int, int]] = []

    class Watched(Worker):
        def _after_commit(self, tp: Any, row: Any, result: Any, now_ms: int) -> None:
            at = time.time_ns() // 1_000_000
            committed.extend((item.message.machine, sample.end_ms, at) for item, samples in result.new for sample in samples)
            super()._after_commit(tp, row, result, now_ms)

    spare_the_collector()
    live = LivePush()
    live.start()
    worker = Watched(usage_consumer(), settings.USAGE_TOPIC, max_age_ms=settings.USAGE_MAX_AGE_DAYS * 86_400_000, live=live)
    work(worker)
    live.close()
    print(json.dumps({"committed": committed, "rows": UsageSample.objects.count()}), flush=True)
    worker.close()


def work(worker: Any) -> None:
    """Step until a line comes, and then up to the end of the log."""
    join(worker, PARTITIONS)
    while not worker.positions:
        worker.step(POLL_S)
    told = threading.Event()
    threading.Thread(target=_wait_for_a_line, args=(told,), daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    while not told.is_set():
        worker.step(0.5)
    ends = worker.ends()
    while not worker.caught_up(ends):
        worker.step(0.5)


def _wait_for_a_line(told: threading.Event) -> None:
    sys.stdin.readline()
    told.set()


if __name__ == "__main__":
    main()
