"""A process that makes a database ready: `python -m benchmarks.prepare MACHINES`. Prints one line when it is done."""

import json
import sys

import django
from django.core.management import call_command

CUSTOMER = "bench"


def main(machines: int) -> None:
    django.setup()
    from django.test import Client

    from accounts.models import Customer, Membership, User
    from usage.models import Machine

    call_command("migrate", verbosity=0)
    customer = Customer.objects.create(code=CUSTOMER, name="Benchmark", currency="USD")
    Machine.objects.bulk_create([Machine(customer=customer, code=f"m-{number}") for number in range(machines)])
    member = User.objects.create_user("bench@example.com", None)
    Membership.objects.create(user=member, customer=customer, role="owner")
    browser = Client()
    browser.force_login(member)
    print(json.dumps({"cookie": browser.cookies.output(attrs=[], header="").strip()}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
