"""A process that makes a month of quarter hours: `python -m benchmarks.billed CUSTOMERS MACHINES DAYS`. PostgreSQL alone.

The quantities are made in the database, odd enough to need rounding, the same each time.
"""

import json
import sys
import time
from datetime import timedelta

import django
from django.core.management import call_command

ROWS = """
INSERT INTO usage_usagebucket (machine_id, start_ms, covered_ms, samples, cpu_ms, memory_mib_ms, disk_mib_ms,
  net_rx, net_tx, disk_read, disk_write, cpu_upct, memory_upct)
SELECT m.id, %s + q * 900000::bigint, 900000, 90, 100000 + (m.id * 7919 + q * 104729) %% 3500000,
  900000::bigint * (1024 + (m.id * 31 + q) %% 7168), 900000::bigint * 20480, (q * 15485863 + m.id) %% 50000000,
  (q * 32452843 + m.id) %% 50000000, 0, 0, 4500000000, 3000000000
FROM usage_machine m CROSS JOIN generate_series(0::bigint, %s) q WHERE m.id BETWEEN %s AND %s
"""
AT_ONCE = 250


def main(customers: int, machines: int, days: int) -> None:
    django.setup()
    began = time.monotonic()
    call_command("migrate", verbosity=0)
    call_command("load_plan", "cloud-eur", publish=True, verbosity=0, stdout=sys.stderr)
    _people(customers, machines)
    rows = _usage(days)
    summed_in = _sum_days()
    told = {"buckets": rows, "days_s": round(summed_in, 1), "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(told), flush=True)


def _people(customers: int, machines: int) -> None:
    from accounts.models import Customer
    from benchmarks.closing import PERIOD
    from invoices.models import RatePlan, Subscription
    from usage.models import Machine

    plan = RatePlan.objects.get()
    made = Customer.objects.bulk_create(
        Customer(code=f"c-{number:04d}", name=f"Customer {number}", currency="EUR", timezone="UTC", address="1 Some Street")
        for number in range(customers)
    )
    Subscription.objects.bulk_create(Subscription(customer=customer, plan=plan, start=PERIOD.start) for customer in made)
    Machine.objects.bulk_create(
        Machine(customer=customer, code=f"{customer.code}-{number}", created_at=PERIOD.start)
        for customer in made
        for number in range(machines)
    )


def _usage(days: int) -> int:
    from django.db import connection

    from benchmarks.closing import PERIOD
    from usage.models import Machine

    keys = sorted(Machine.objects.values_list("pk", flat=True))
    rows = 0
    with connection.cursor() as cursor:
        for at in range(0, len(keys), AT_ONCE):
            few = keys[at : at + AT_ONCE]
            cursor.execute(ROWS, [PERIOD.start_ms, days * 96 - 1, few[0], few[-1]])
            rows += cursor.rowcount
        cursor.execute("VACUUM ANALYZE usage_usagebucket")
    return rows


def _sum_days() -> float:
    """Sum the days that are over, as a task does during the month. Return the seconds that all of them took at once."""
    from benchmarks.closing import PERIOD
    from usage import days

    began = time.monotonic()
    days.catch_up(PERIOD.end + timedelta(days=2))
    return time.monotonic() - began


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
