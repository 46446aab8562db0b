"""`bin/up --check`: walks through the running product from a sample to an invoice, and says which step failed."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from billingsite import expectations
from billingsite.celery import app as celery
from billingsite.expectations import CheckFailed, Place
from billingsite.probe import Probe
from billingsite.programs import ROOT
from billingsite.progress import say, step
from billingsite.startup import Startup
from billingsite.visitor import Visitor

COMMAND_WITHIN_S = 60


@dataclass(frozen=True)
class Member:
    """Somebody who may see customers, signed in."""

    email: str
    visitor: Visitor
    customers: list[str]


def run(startup: Startup) -> int:
    """Return 0 if every step held, 1 after the first that did not."""
    say("\nChecking")
    try:
        walk(startup)
    except CheckFailed as error:
        say(f"\nCHECK FAILED: {error}")
        return 1
    except Exception as error:  # A check that cannot even be made has failed too, whatever the reason.
        say(f"\nCHECK FAILED: {type(error).__name__}: {error}")
        return 1
    say("\nAll checks passed.")
    return 0


def walk(startup: Startup) -> None:
    place = Place(startup.site, os.environ["KAFKA_BOOTSTRAP_SERVERS"], startup.topic)
    with step("Every program is alive"):
        _expect_alive(startup)
    with step("The right password opens the door, a wrong one does not"):
        members = sign_in(place, startup.log_ins)
    with step("Another customer's pages are not found"):
        _expect_walls(members)
    _follow_a_sample(place, members)
    for member in members:
        for customer in member.customers:
            _check_invoice(member.visitor, customer)
    with step("The task queue answers"):
        _expect_tasks()
    with step("audit_usage: nothing lost, nothing counted twice"):
        _command("audit_usage")
    with step("doctor: nothing needs mending"):
        _command("doctor")


def sign_in(place: Place, log_ins: str) -> list[Member]:
    """Sign everybody in whose e-mail and password the start printed, and return those who are customers' members."""
    pairs = re.findall(r"(\S+@\S+)\s+(\S+)", log_ins)
    if not pairs:
        raise CheckFailed("the start printed no log-ins")
    expectations.wrong_password_is_refused(place.site, *pairs[0])
    visitors = {email: expectations.signed_in(place.site, email, password) for email, password in pairs}
    operators = [email for email, visitor in visitors.items() if visitor.get("/admin/").path == "/admin/"]
    if not operators:
        raise CheckFailed(f"none of {len(pairs)} log-ins opens the administration")
    members = [
        Member(email, visitor, expectations.customers(visitor)) for email, visitor in visitors.items() if email not in operators
    ]
    if len(members) < 2 or not all(member.customers for member in members):
        raise CheckFailed(f"of {len(pairs)} log-ins fewer than two belong to customers")
    return members


def _expect_alive(startup: Startup) -> None:
    startup.refuse_fallen()
    missing = set(startup.expected()) - set(startup.running())
    if missing:
        raise CheckFailed(f"not running: {', '.join(sorted(missing))}")


def _expect_walls(members: list[Member]) -> None:
    first, second = members[:2]
    foreign = second.customers[0]
    machine = second.visitor.json("/api/v1/machines/", customer=foreign)["results"][0]["code"]
    expectations.strangers_get_nothing(first.visitor, foreign, machine)


def _follow_a_sample(place: Place, members: list[Member]) -> None:
    with step("A machine has reported"):
        member, customer, machine = _reporting_machine(members)
    before = expectations.cost_of(member.visitor, customer)
    spare = expectations.spare_machine(member.visitor, customer)
    probe = Probe(place.bootstrap, place.topic, spare, cores=machine["cores"], memory_mib=machine["memory_mib"])
    try:
        with step("A sample sent now is on the live socket"):
            emitted = expectations.sample_on_the_live_socket(place, member.visitor, customer, probe)
    finally:
        probe.close()
    with step("It is in the API"):
        expectations.sample_in_the_api(member.visitor, emitted)
    with step("It is in the running cost"):
        expectations.cost_has_risen(member.visitor, customer, before, emitted)
    with step("The live cost is the API's estimate"):
        expectations.live_cost_is_the_api_s(place, member.visitor, customer)


def _reporting_machine(members: list[Member]) -> tuple[Member, str, dict[str, Any]]:
    """Wait for the first machine that speaks wire format 1, of whichever customer."""
    found: list[tuple[Member, str, dict[str, Any]]] = []

    def look() -> bool:
        for member in members:
            for customer in member.customers:
                if machine := expectations.sized_machine(member.visitor, customer):
                    found.append((member, customer, machine))
        return bool(found)

    expectations.wait(look, expectations.HISTORY_WITHIN_S, "no machine has reported its size")
    return found[0]


def _check_invoice(visitor: Visitor, customer: str) -> None:
    with step(f"{customer}: last month's invoice is final"):
        invoice = expectations.last_invoice(visitor, customer)
    with step(f"{customer}: {invoice['total']['amount']} {invoice['total']['currency']} in API and PDF"):
        expectations.invoice_totals_agree(visitor, invoice)


def _expect_tasks() -> None:
    if not celery.control.ping(timeout=10, limit=1):
        raise CheckFailed("no Celery worker answered within 10 s")


def _command(name: str) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(ROOT / "manage.py"), name], capture_output=True, text=True, timeout=COMMAND_WITHIN_S, check=False
    )
    if done.returncode:
        raise CheckFailed(f"manage.py {name} says:\n{done.stdout}{done.stderr}")
