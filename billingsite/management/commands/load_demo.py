"""Loads the demo: people, machines and plans, then two months of usage through Kafka, and last month's invoices."""

import json
import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.models import ApiKey, Customer, Membership, User
from billingsite import demo, demo_keys
from billingsite.surroundings import private_file
from invoices.models import Invoice, RatePlan, Subscription
from usage.models import Machine, UnsignedPermission

ROOT = Path(demo.__file__).resolve().parent.parent
WITHIN_S = 600


class Command(BaseCommand):
    """`manage.py load_demo`."""

    help = "Load the demo's customers and fleet. Needs a running broker. Loading it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        self.folder = settings.DATA_DIR / "demo"
        self.folder.mkdir(parents=True, exist_ok=True)
        passwords = self._passwords()
        customers = [_customer(company) for company in demo.COMPANIES]
        _people(passwords)
        _machines()
        self._write_files(customers)
        if not _has_invoices(customers):
            self._send_history()
            for customer in customers:
                call_command("compute_invoices", customer=customer.code, finalise=True, stdout=open(os.devnull, "w"))
        for email, password in passwords.items():
            self.stdout.write(f"  {email:26} {password}")

    def _passwords(self) -> dict[str, str]:
        """Random once, then kept for the next start in a file that only its owner may read."""
        file = self.folder / "log-ins.json"
        emails = [demo.OPERATOR, *(company.owner for company in demo.COMPANIES)]
        if not file.exists():
            private_file(file, json.dumps({email: secrets.token_urlsafe(12) for email in emails}))
        return dict(json.loads(file.read_text()))

    def _write_files(self, customers: list[Customer]) -> None:
        """The fleet's history ends where its live part begins, and both are written once: other times would bill again."""
        if not (self.folder / "fleet.toml").exists():
            step = timedelta(seconds=demo.READING_EVERY_S)
            now = datetime.now(UTC)
            end = now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % step
            start = min(demo.last_month_start(customer, now) for customer in customers)
            (self.folder / "history.toml").write_text(demo.fleet_file(start, end))
            (self.folder / "fleet.toml").write_text(demo.fleet_file(end, None))
        server = f"http://127.0.0.1:{os.environ.get('COREHOUR_PORT', '8000')}"
        owner = Machine.objects.get(code="this-host").customer
        ApiKey.objects.filter(customer=owner, name="Agent of this host").delete()
        _, secret = ApiKey.issue(owner, "Agent of this host")
        private_file(self.folder / "agent.toml", demo.agent_file("this-host", server=server, api_key=secret))

    def _send_history(self) -> None:
        state = os.environ.get("COREHOUR_AGENT_STATE_DIR", str(settings.DATA_DIR / "agent"))
        fleet = ["-m", "agent", "replay", "--fleet", str(self.folder / "history.toml"), "--state-dir", state]
        _run([*fleet, "--bootstrap", settings.KAFKA_BOOTSTRAP_SERVERS, "--topic", settings.USAGE_TOPIC])
        _run(["manage.py", "consume_usage", "--until-caught-up"])


def _customer(company: demo.Company) -> Customer:
    call_command("load_plan", company.plan, publish=True, stdout=open(os.devnull, "w"))
    customer, _ = Customer.objects.get_or_create(code=company.code, defaults=demo.customer_fields(company))
    plan = RatePlan.objects.get(code=company.plan)
    start = demo.last_month_start(customer, datetime.now(UTC))
    Subscription.objects.get_or_create(customer=customer, plan=plan, defaults={"start": start})
    if company.unsigned:
        UnsignedPermission.objects.get_or_create(customer=customer, defaults={"reason": company.unsigned})
    return customer


def _people(passwords: dict[str, str]) -> None:
    """Log-ins work as printed, also after somebody changed a password in the demo."""
    for email, password in passwords.items():
        user = User.objects.filter(email=email).first() or User(email=email)
        if not user.check_password(password):
            user.set_password(password)
        user.is_staff = user.is_superuser = email == demo.OPERATOR
        user.save()
    for company in demo.COMPANIES:
        customer, owner = Customer.objects.get(code=company.code), User.objects.get(email=company.owner)
        Membership.objects.get_or_create(customer=customer, user=owner, defaults={"role": Membership.Role.OWNER})


def _machines() -> None:
    for machine in demo.MACHINES:
        owner = Customer.objects.get(code=machine.customer)
        row, _ = Machine.objects.get_or_create(code=machine.code, defaults={"customer": owner, "name": machine.name})
        if not (machine.trace or {}).get("version0"):
            demo_keys.ensure_key(row)


def _has_invoices(customers: list[Customer]) -> bool:
    return all(Invoice.objects.final().filter(customer=customer).exists() for customer in customers)


def _run(arguments: list[str]) -> None:
    """Run one of the product's own programs to its end. Raise CommandError with its last words where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 its own programs, no shell
            [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{' '.join(arguments[:4])} did not finish within {WITHIN_S} s.") from error
    if done.returncode:
        raise CommandError(f"{' '.join(arguments[:4])} failed:\n{(done.stdout + done.stderr)[-2_000:]}")
