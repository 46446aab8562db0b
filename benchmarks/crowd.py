"""A process that fills a PostgreSQL as years of business would: `python -m benchmarks.crowd CUSTOMERS MACHINES MONTHS SAMPLES`.

MACHINES and SAMPLES are of all customers together. Buckets are filled as if each sample had come, 90 a quarter hour; invoices
are made by the product's own billing. Prints the cookie and a key of one member of each customer, and an operator's cookie.
"""

import json
import sys
import time
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import django
from django.core.management import call_command

SAMPLES_A_BUCKET = 90  # One every ten seconds.
BUCKET_MS = 900_000
UTC = ZoneInfo("UTC")
PRICES: list[dict[str, Any]] = [
    {"name": "Base fee", "model": "flat", "unit_price": "9.00"},
    {"name": "CPU", "model": "per_unit", "meter": "cpu", "unit_price": "0.04"},
    {"name": "Memory", "model": "per_unit", "meter": "memory", "unit_price": "0.0048"},
]
FILL = """
    INSERT INTO usage_usagebucket (machine_id, start_ms, covered_ms, samples, cpu_ms, memory_mib_ms, disk_mib_ms,
        net_rx, net_tx, disk_read, disk_write, cpu_upct, memory_upct)
    SELECT machine.id, start_ms, 900000, 90, (start_ms / 1000 + machine.id * 7919) %% 7200000, 8192::bigint * 900000, 9000000000,
        1000000, 2000000, 3000, 4000, 4500000000, 4500000000
    FROM generate_series(%s::bigint, %s::bigint, 900000) start_ms, usage_machine machine
"""


def main(customers: int, machines: int, months: int, samples: int) -> None:
    django.setup()
    from django.db import connection

    from accounts.models import User

    call_command("migrate", verbosity=0)
    plan = _plan(months)
    members = [_customer(number, machines // customers, months, plan) for number in range(customers)]
    newest = time.time_ns() // 1_000_000 // BUCKET_MS * BUCKET_MS - BUCKET_MS
    each = samples // SAMPLES_A_BUCKET // machines
    with connection.cursor() as cursor:
        cursor.execute(FILL, [newest - (each - 1) * BUCKET_MS, newest])
        cursor.execute("ANALYZE")
    operator = User.objects.create_superuser("operator@example.com", None)
    print(json.dumps({"members": members, "operator": _cookie(operator), "buckets": each * machines}), flush=True)


def _plan(months: int) -> Any:
    from django.utils.timezone import now

    from invoices import plan_file, publishing
    from usage.periods import month_of

    since = month_of(now() - timedelta(days=31 * (months + 2)), UTC).start
    document = plan_file.PlanDocument("bench", "Bench", "USD", since, plan_file.check_prices(PRICES))
    draft, _ = publishing.save_draft(document)
    publishing.publish(draft, since)
    return draft.plan


def _customer(number: int, machines: int, months: int, plan: Any) -> dict[str, str]:
    """A customer with machines, and an invoice for each month that is over."""
    from django.utils.timezone import now

    from accounts.models import ApiKey, Customer, Membership, User
    from accounts.scopes import SCOPES
    from invoices import billing, publishing
    from usage.models import Machine
    from usage.periods import month_of

    customer = Customer.objects.create(code=f"c-{number}", name=f"Customer {number}", currency="USD")
    fleet = [Machine(customer=customer, code=f"c-{number}-m-{one}", cores=8, memory_mib=32_768) for one in range(machines)]
    Machine.objects.bulk_create(fleet)
    member = User.objects.create_user(f"u@c-{number}.example", None)
    Membership.objects.create(user=member, customer=customer, role="owner")
    start = month_of(now(), customer.zone).start
    for _ in range(months):
        start = month_of(start - timedelta(days=1), customer.zone).start
    publishing.subscribe(customer, plan, start, None)
    billing.close(customer)
    newest = customer.invoices.exclude(number=None).order_by("-period_start").first()
    _, secret = ApiKey.issue(customer, "benchmark", SCOPES)
    known = {"cookie": _cookie(member), "machine": fleet[0].code, "key": secret}
    return {**known, "invoice": str(newest.number) if newest else ""}


def _cookie(user: Any) -> str:
    from django.test import Client

    browser = Client()
    browser.force_login(user)
    return browser.cookies.output(attrs=[], header="").strip()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
