"""A process that fills a PostgreSQL as years of business would: `python -m benchmarks.crowd CUSTOMERS MACHINES MONTHS SAMPLES`.

MACHINES and SAMPLES are of all customers together. Quarter hours are made in the database as if 90 samples had come in each:
half of them without a gap up to now, half thinly over the months, so that every invoice has lines of every machine. Invoices
are made by the product's own billing. A database that is filled already is left as it is, one that is half filled is filled up;
only the samples of the last minutes come anew each time, so that machines are alive.
Prints the cookie and a key of one member of each customer, and an operator's cookie, with what each may open.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
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
    FROM usage_machine machine, generate_series(%s::bigint, %s::bigint, %s::bigint) start_ms
    ORDER BY machine.id, start_ms
"""


# Also a little ahead of now: the machines go on reporting while pages are looked at. One in 25 has fallen silent.
REPORT = """
    INSERT INTO usage_usagesample (machine_id, stream, seq, start_ms, end_ms, cpu_ms, memory_mib_ms, disk_mib_ms,
        net_rx, net_tx, disk_read, disk_write, cpu_upct, memory_upct)
    SELECT machine.id, machine.stream, seq, at.ms + seq * 10000 - 900000, at.ms + seq * 10000 - 890000,
        (seq * 7919 + machine.id * 104729) %% 80000, 8192::bigint * 10000, 100000000, 11111, 22222, 33, 44, 50000000, 50000000
    FROM (SELECT id, gen_random_uuid() AS stream FROM usage_machine WHERE id %% 25 > 0) machine,
        generate_series(0, 104) seq, (SELECT %s::bigint AS ms) at
"""
SEEN = (
    "UPDATE usage_machine SET cores = 8, memory_mib = 32768, last_seen_ms = %s - CASE WHEN id %% 25 > 0 THEN 0 ELSE 7200000 END"
)
REFUSE = """
    INSERT INTO usage_rejectedmessage (topic, topic_id, partition, "offset", timestamp_ms, key, value, headers, machine_code,
        reason, detail, rejected_at, state, resolution, replayed_samples, replayed_duplicates, replays, last_refusal, fix_reason)
    SELECT 'resource_usage', 't', 0, number, at.ms - number * 60000, 'c-0-m-0', repeat('{"machine": "c-0-m-0"} ', 40)::bytea,
        '[]', 'c-0-m-' || number %% 50, (ARRAY['not_json', 'too_old', 'unknown_machine', 'bad_signature'])[1 + number %% 4],
        'A sample that ends before it starts', to_timestamp((at.ms - number * 60000) / 1000),
        CASE WHEN number < 500 THEN 'open' ELSE 'discarded' END, '', 0, 0, 0, '', ''
    FROM generate_series(1, %s) number, (SELECT %s::bigint AS ms) at
"""


def main(customers: int, machines: int, months: int, samples: int) -> None:
    django.setup()
    from accounts.models import User
    from usage.models import Machine, UsageBucket

    call_command("migrate", verbosity=0)
    began = time.monotonic()
    if not User.objects.filter(is_superuser=True).exists():  # The last one to come.
        _fill(customers, machines, months, samples // SAMPLES_A_BUCKET // machines)
    if Machine.objects.count() != machines // customers * customers:
        raise ValueError(f"The database that is kept has {Machine.objects.count()} machines. Name another one, or none.")
    _report()
    answer = {
        "members": [_member(user) for user in User.objects.filter(is_staff=False).order_by("pk")],
        "operator": _operator(),
        "buckets": UsageBucket.objects.count(),
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(answer), flush=True)


def _fill(customers: int, machines: int, months: int, each: int) -> None:
    from django.db import connection
    from django.utils.timezone import now

    from accounts.models import Customer, User
    from usage import days

    start = _months_back(now(), months)
    if not Customer.objects.exists():
        plan = _plan(start)
        for number in range(customers):
            _customer(number, machines // customers, start, plan)
        _usage(start, each)
    everybody = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    connection.close()  # Or the processes would share it.
    with ProcessPoolExecutor(os.cpu_count(), initializer=django.setup) as workers:
        list(workers.map(_close, everybody))
    days.catch_up(now())
    with connection.cursor() as cursor:
        cursor.execute(REFUSE, [20 * 10 * customers, _now_ms()])
        cursor.execute("VACUUM ANALYZE")
    User.objects.create_superuser("operator@example.com", None)


def _report() -> None:
    """What agents would have sent in the last minutes."""
    from django.db import connection

    from usage import partitions

    partitions.make_ahead(_now_ms())
    with connection.cursor() as cursor:
        cursor.execute(REPORT, [_now_ms()])
        cursor.execute(SEEN, [_now_ms() + 120_000])
        cursor.execute("ANALYZE usage_machine, usage_usagesample")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _usage(start: datetime, each: int) -> None:
    """So many quarter hours of each machine."""
    from django.db import connection

    newest = _now_ms() // BUCKET_MS * BUCKET_MS - BUCKET_MS
    dense = each // 2
    since, thin_until = int(start.timestamp()) * 1_000, newest - dense * BUCKET_MS
    apart = (thin_until - since) // (each - dense) // BUCKET_MS * BUCKET_MS
    with connection.cursor() as cursor:
        cursor.execute(FILL, [thin_until + BUCKET_MS, newest, BUCKET_MS])
        cursor.execute(FILL, [since, since + (each - dense - 1) * apart, apart])
        cursor.execute("VACUUM ANALYZE")


def _months_back(at: datetime, months: int) -> datetime:
    from usage.periods import month_of

    start = month_of(at, UTC).start
    for _ in range(months):
        start = month_of(start - timedelta(days=1), UTC).start
    return start


def _plan(since: datetime) -> Any:
    from invoices import plan_file, publishing

    document = plan_file.PlanDocument("bench", "Bench", "USD", since, plan_file.check_prices(PRICES))
    draft, _ = publishing.save_draft(document)
    publishing.publish(draft, since)
    return draft.plan


def _customer(number: int, machines: int, start: datetime, plan: Any) -> None:
    """A customer with machines and one member, subscribed from the first month on."""
    from accounts.models import Customer, Membership, User
    from invoices import publishing
    from usage.models import Machine

    customer = Customer.objects.create(code=f"c-{number}", name=f"Customer {number}", currency="USD")
    names = [f"c-{number}-m-{one}" for one in range(machines)]
    Machine.objects.bulk_create(
        Machine(customer=customer, code=name, cores=8, memory_mib=32_768, created_at=start) for name in names
    )
    member = User.objects.create_user(f"u@c-{number}.example", None)
    Membership.objects.create(user=member, customer=customer, role="owner")
    publishing.subscribe(customer, plan, start, None)


def _close(customer: int) -> int:
    """In a process of its own: an invoice for each month that is over."""
    from accounts.models import Customer
    from invoices import billing

    return len(billing.close(Customer.objects.get(pk=customer)))


def _member(user: Any) -> dict[str, str]:
    from accounts.models import ApiKey
    from accounts.scopes import SCOPES

    customer = user.memberships.get().customer
    newest = customer.invoices.exclude(number=None).order_by("-period_start").first()
    machine = customer.machines.order_by("pk").first()
    _, key = ApiKey.issue(customer, "bench", SCOPES)
    return {"cookie": _cookie(user), "key": key, "machine": machine.code, "invoice": str(newest.number) if newest else ""}


def _operator() -> dict[str, Any]:
    from accounts.models import Customer, User
    from invoices.models import Invoice
    from usage.models import Machine, RejectedMessage

    return {
        "cookie": _cookie(User.objects.get(is_superuser=True)),
        "customer_pk": Customer.objects.latest("pk").pk,
        "machine_pk": Machine.objects.latest("pk").pk,
        "invoice_pk": Invoice.objects.latest("pk").pk,
        "refused_pk": RejectedMessage.objects.latest("pk").pk,
    }


def _cookie(user: Any) -> str:
    from django.test import Client

    browser = Client()
    browser.force_login(user)
    return browser.cookies.output(attrs=[], header="").strip()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
