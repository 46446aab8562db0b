"""A process that makes customers, machines and people: `python -m benchmarks.audience CUSTOMERS MACHINES PEOPLE`.

Prints, for each customer, its key and code, its machines' codes and the session cookies of its people.
"""

import json
import sys

import django
from django.core.management import call_command


def main(customers: int, machines: int, people: int) -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    print(json.dumps([_customer(number, machines, people) for number in range(customers)]), flush=True)


def _customer(number: int, machines: int, people: int) -> dict[str, object]:
    from accounts.models import Customer, Membership, User
    from usage.models import Machine

    customer = Customer.objects.create(code=f"c-{number}", name=f"Customer {number}", currency="USD")
    fleet = [Machine(customer=customer, code=f"c-{number}-m-{one}", cores=8, memory_mib=32_768) for one in range(machines)]
    Machine.objects.bulk_create(fleet)
    users = [User.objects.create_user(f"u-{one}@c-{number}.example", None) for one in range(people)]
    Membership.objects.bulk_create([Membership(user=user, customer=customer, role="owner") for user in users])
    codes = [machine.code for machine in fleet]
    return {"pk": customer.pk, "code": customer.code, "machines": codes, "cookies": [_cookie(user) for user in users]}


def _cookie(user: object) -> str:
    from typing import Any, cast

    from django.test import Client

    browser = Client()
    browser.force_login(cast(Any, user))
    return browser.cookies.output(attrs=[], header="").strip()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
