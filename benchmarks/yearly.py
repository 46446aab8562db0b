"""A process that looks at a year of one customer: `python -m benchmarks.yearly DAYS`. It fills a prepared database first.

The explorer is asked before its days are summed and after, by machine and by meter, and must show the same.
"""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import django

FILL = """
INSERT INTO usage_usagebucket (machine_id, start_ms, covered_ms, samples, cpu_ms, memory_mib_ms, disk_mib_ms,
  net_rx, net_tx, disk_read, disk_write, cpu_upct, memory_upct)
WITH RECURSIVE quarter (n) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT n + 1 FROM quarter WHERE n < %s)
SELECT m.id, %s - n * 900000, 900000, 90, (m.id * 7919 + n * 104729) %% 3600000,
  CAST(900000 AS bigint) * (1024 + (m.id * 31 + n) %% 7168), 0, n, m.id, 0, 0, 4500000000, 3000000000
FROM usage_machine m CROSS JOIN quarter
"""
VIEWS: tuple[dict[str, str], ...] = ({}, {"step": "day"}, {"group": "meter"}, {"compare": "previous"})
TIMES = 3


def main(days: int) -> None:
    django.setup()
    from django.db import connection
    from django.utils.timezone import now

    from usage import days as summed
    from usage.periods import BUCKET_MS, bucket_start, to_ms

    at = now()
    newest = bucket_start(to_ms(at)) - BUCKET_MS
    with connection.cursor() as cursor:
        cursor.execute(FILL, [days * 96 - 1, newest])
        cursor.execute("SELECT COUNT(*) FROM usage_usagebucket")
        rows = cursor.fetchone()[0]
        cursor.execute("ANALYZE")
    before_ms, before = _looked(at)
    began = time.monotonic()
    summed.catch_up(at)
    summing_s = round(time.monotonic() - began, 1)
    after_ms, after = _looked(at)
    answer = {"buckets": rows, "buckets_ms": before_ms, "summing_s": summing_s, "summed_ms": after_ms, "equal": before == after}
    print(json.dumps(answer), flush=True)


def _looked(at: Any) -> tuple[int, list[Any]]:
    """The slowest view's median in ms, and what all of them showed."""
    from accounts.models import Customer
    from usage.exploration import explore

    customer = Customer.objects.get()
    medians, shown = [], []
    for view in VIEWS:
        times = []
        for _ in range(TIMES):
            began = time.monotonic()
            found = explore(customer, {"range": "last-12-months", **view}, at)
            times.append(round((time.monotonic() - began) * 1000))
        medians.append(sorted(times)[TIMES // 2])
        shown.append(_numbers(found))
    return max(medians), shown


def _numbers(found: Mapping[str, Any]) -> list[Any]:
    charts = [[series.values for series in chart.series] for chart in found["charts"]]
    before = [list(chart.before.values) for chart in found["charts"] if chart.before]
    return [charts, before, found["sum"], found["sum_cpu_ms"], found["sum_covered_ms"]]


if __name__ == "__main__":
    main(int(sys.argv[1]))
