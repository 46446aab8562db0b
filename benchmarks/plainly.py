"""A process that bills as one would in an afternoon: `python -m benchmarks.plainly URL CUSTOMERS`.

One loop over every quarter hour in Decimal, the same tariff, each line rounded once; nothing is stored, numbered or kept.
"""

import json
import sys
import time
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

import psycopg

QUERY = """
SELECT m.customer_id, b.cpu_ms, b.memory_mib_ms, b.disk_mib_ms, b.net_tx
FROM usage_usagebucket b JOIN usage_machine m ON m.id = b.machine_id
WHERE m.customer_id IN (SELECT id FROM accounts_customer ORDER BY id LIMIT %s)
"""
CENT = Decimal("0.01")
HOUR, GIB_HOUR, MONTH = Decimal(3_600_000), Decimal(1024 * 3_600_000), Decimal(30 * 24)


def main(url: str, customers: int) -> None:
    began = time.monotonic()
    used: dict[int, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    rows = 0
    with psycopg.connect(url) as connection, connection.cursor("plain") as cursor:
        cursor.itersize = 20_000
        cursor.execute(QUERY, [customers])
        for customer, cpu, memory, disk, out in cursor:
            hours = used[customer]
            hours[0] += Decimal(cpu) / HOUR
            hours[1] += Decimal(memory) / GIB_HOUR
            hours[2] += Decimal(disk) / GIB_HOUR
            hours[3] += Decimal(out) / Decimal(10**9)
            rows += 1
    total = sum((bill(*quantities) for quantities in used.values()), Decimal(0))
    print(json.dumps({"seconds": time.monotonic() - began, "buckets": rows, "total": str(total)}), flush=True)


def bill(cpu: Decimal, memory: Decimal, disk: Decimal, out: Decimal) -> Decimal:
    """The cloud-eur plan: 9.00, tiers of CPU, memory, disk by the month, transfer above 100 GB."""
    tiers = min(cpu, Decimal(500)) * Decimal("0.042")
    tiers += max(min(cpu, Decimal(5000)) - 500, Decimal(0)) * Decimal("0.038") + max(cpu - 5000, Decimal(0)) * Decimal("0.034")
    lines = [
        Decimal(9),
        tiers,
        memory * Decimal("0.0048"),
        disk / MONTH * Decimal("0.09"),
        max(out - 100, Decimal(0)) * Decimal("0.01"),
    ]
    return sum((line.quantize(CENT, ROUND_HALF_UP) for line in lines), Decimal(0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
