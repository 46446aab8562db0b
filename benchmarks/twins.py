"""A process that makes a database for two customers of one tariff, and bills them: `python -m benchmarks.twins NAME NAME`.

Each has one machine. It prints the tokens that enrol the machines; told how many samples each has written it waits until they
are stored, and prints what the bills say and what they rest on.
"""

import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

STORED_WITHIN_S = 120.0
# A cent for each core-ms, for each byte, and for each millisecond of 512 MiB of memory or 2,048 MiB of disk: nothing rounds.
PLAN = """
code = "to-the-unit"
name = "To the unit"
currency = "USD"
effective_from = 2020-01-01T00:00:00Z

[[prices]]
name = "CPU"
model = "per_unit"
meter = "cpu"
unit = "core-hour"
unit_price = "36000"

[[prices]]
name = "Memory"
model = "per_unit"
meter = "memory"
unit = "GiB-hour"
unit_price = "72000"

[[prices]]
name = "Disk"
model = "per_unit"
meter = "disk"
unit = "GiB-hour"
unit_price = "18000"

[[prices]]
name = "Network in"
model = "per_unit"
meter = "network_in"
unit = "GB"
unit_price = "10000000"
"""


def main(names: list[str]) -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    print(json.dumps(_prepare(names)), flush=True)
    written = json.loads(sys.stdin.readline())
    stored = _await_stored(written)
    print(json.dumps({"stored": stored, **_judge(names)}), flush=True)


def _prepare(names: list[str]) -> dict[str, str]:
    """Return the token of each machine; machine and customer have one name."""
    from accounts.models import Customer
    from invoices.models import RatePlan, Subscription
    from usage.enrolment import create_token
    from usage.models import Machine

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as plan:
        plan.write(PLAN)
        plan.flush()
        call_command("load_plan", Path(plan.name), publish=True, verbosity=0, stdout=sys.stderr)
    tokens = {}
    for name in names:
        customer = Customer.objects.create(code=name, name=name, currency="USD", timezone="UTC", address="1 Some Street")
        Subscription.objects.create(customer=customer, plan=RatePlan.objects.get(), start=_month_start())
        tokens[name] = create_token(Machine.objects.create(customer=customer, code=name))[1]
    return tokens


def _month_start() -> Any:
    from django.utils.timezone import now

    return now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _await_stored(written: dict[str, int]) -> dict[str, int]:
    from usage.models import UsageSample

    deadline = time.monotonic() + STORED_WITHIN_S
    while True:
        stored = {name: UsageSample.objects.filter(machine__code=name).count() for name in written}
        if stored == written or time.monotonic() > deadline:
            return stored
        time.sleep(0.2)


def _judge(names: list[str]) -> dict[str, Any]:
    from usage.audit import checks
    from usage.models import RejectedMessage

    return {
        "bills": {name: _bill(name) for name in names},
        "samples": {name: _samples(name) for name in names},
        "rejected": list(RejectedMessage.objects.values_list("reason", flat=True)),
        "audit": [difference for check in checks() for difference in check.differences][:20],
    }


def _bill(name: str) -> dict[str, int]:
    """The lines of the month's bill in cents, by the invoice's own rater."""
    from django.utils.timezone import now

    from accounts.models import Customer
    from invoices.estimate import estimate

    bill = estimate(Customer.objects.get(code=name), at=now() + timedelta(minutes=30))
    return {line.name: line.amount_minor for line in bill.lines}


def _samples(name: str) -> list[list[int]]:
    """Start, end and memory of each sample, in the order of the stream."""
    from usage.models import UsageSample

    rows = UsageSample.objects.filter(machine__code=name).order_by("seq")
    return [list(row) for row in rows.values_list("start_ms", "end_ms", "memory_mib_ms")]


if __name__ == "__main__":
    main(sys.argv[1:])
