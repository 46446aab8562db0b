"""The people and machines of the tests: Acme with its owner, Bolt as the stranger next door, and staff."""

from typing import Any

from django.test import Client

from accounts.models import ApiKey, Customer, Membership, User
from accounts.scopes import SCOPES
from usage.models import Machine, UsageBucket
from usage.periods import BUCKET_MS

PASSWORD = "correct horse battery staple"


def a_customer(code: str = "acme", **fields: Any) -> Customer:
    return Customer.objects.create(
        **{"code": code, "name": code.title(), "currency": "EUR", "timezone": "Europe/Berlin"} | fields
    )


def a_member(*customers: Customer, email: str = "olga@acme.example", role: str = "owner", **fields: Any) -> User:
    user = User.objects.create_user(email, PASSWORD, **fields)
    for customer in customers:
        Membership.objects.create(user=user, customer=customer, role=role)
    return user


def an_operator(email: str = "otto@corehour.example") -> User:
    return User.objects.create_superuser(email, PASSWORD)


def a_machine(customer: Customer, code: str = "web-1", **fields: Any) -> Machine:
    return Machine.objects.create(customer=customer, code=code, **fields)


def a_bucket(machine: Machine, start_ms: int, **quantities: int) -> UsageBucket:
    """A fully covered quarter hour of one core unless told otherwise."""
    values = {"cpu_ms": BUCKET_MS, "covered_ms": BUCKET_MS, "samples": 90} | quantities
    return UsageBucket.objects.create(machine=machine, start_ms=start_ms, **values)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def with_key(customer: Customer, name: str = "test") -> Client:
    """A program that shows a new key of this customer, good for everything that a key can do."""
    _, secret = ApiKey.issue(customer, name, SCOPES)
    return Client(headers={"authorization": f"Bearer {secret}"})
