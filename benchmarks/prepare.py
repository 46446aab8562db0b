"""A process that makes a database ready: `python -m benchmarks.prepare MACHINES`. Prints one line when it is done."""

import json
import sys

import django
from django.core.management import call_command

CUSTOMER = "bench"


def main(machines: int) -> None:
    django.setup()
    from accounts.models import Customer
    from usage.models import Machine

    call_command("migrate", verbosity=0)
    customer = Customer.objects.create(code=CUSTOMER, name="Benchmark", currency="USD")
    Machine.objects.bulk_create([Machine(customer=customer, code=f"m-{number}") for number in range(machines)])
    print(json.dumps({"machines": machines}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
