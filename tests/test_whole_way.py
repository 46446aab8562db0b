"""The whole way on real parts: agent -> Kafka -> bucket -> live socket -> estimate -> invoice -> API -> PDF."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import global_settings
from django.core.management import call_command
from django.utils.timezone import now
from pypdf import PdfReader
from pytest_django import Settings
from websockets import Origin
from websockets.sync.client import connect

from billingsite.visitor import Visitor
from invoices import billing
from invoices.models import RatePlan, Subscription
from tests.cast import PASSWORD, a_customer, a_machine, a_member
from tests.processes import ROOT, manage, program, running, site, valkey, wait
from usage.models import UsageBucket
from usage.periods import month_of

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
TRACE = ROOT / "demo" / "nab" / "ec2_cpu_utilization_825cc2.csv"


def _agent(*arguments: str, **env: str) -> None:
    """Run the agent's own program to its end."""
    process = program("-m", "agent", *arguments, **env)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


def _next_points(socket: Any, machine: str) -> dict[str, Any]:
    """The first live point of a machine."""
    while True:
        for point in json.loads(socket.recv(timeout=20))["points"]:
            if point["machine"] == machine:
                return dict(point)


def test_from_a_sample_to_the_invoice(kafka_bootstrap: str, topic: str, tmp_path: Path, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS  # The web server is another process.
    acme = a_customer()
    a_member(acme)
    a_machine(acme, "this-host")
    batch = a_machine(acme, "batch-1")
    call_command("load_plan", "cloud-eur", publish=True)
    month = month_of(now(), acme.zone)
    Subscription.objects.create(customer=acme, plan=RatePlan.objects.get(code="cloud-eur"), start=month.start)
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "USAGE_TOPIC": topic, "KAFKA_GROUP": f"group-{topic}"}
    agent = kafka | {"COREHOUR_AGENT_STATE_DIR": str(tmp_path / "agent")}

    with (
        valkey(tmp_path) as redis_url,
        site(REDIS_URL=redis_url) as address,
        running(manage("consume_usage", REDIS_URL=redis_url, **kafka)),
    ):
        owner = Visitor(address)
        owner.sign_in("olga@acme.example", PASSWORD)
        headers = {"Cookie": owner.cookie_header()}
        live = f"ws{address.removeprefix('http')}/ws/usage/?customer=acme"
        with connect(live, origin=Origin(address), additional_headers=headers, proxy=None) as socket:
            _agent("run", "--once", "--machine", "this-host", "--interval", "1", **agent)
            point = _next_points(socket, "this-host")
        # Six hours of a recorded machine bring enough for amounts above a cent.
        start = max(month.start, now() - timedelta(hours=6))
        _agent("replay", str(TRACE), "--machine", "batch-1", "--cores", "8", "--from", start.isoformat(), "--to", "now", **agent)
        sent_ms = (now() - start - timedelta(minutes=6)) // timedelta(milliseconds=1)  # The last five-minute row may be open.
        wait(lambda: _covered_ms(batch.pk) >= max(1, sent_ms))
        wait(lambda: owner.json("/api/v1/estimate/")["lines"][1]["base"] > 0)
        settled = _settle(owner)

        invoice = billing.draft(acme, month)
        assert invoice is not None
        invoice = billing.finalise(invoice, at=month.end + timedelta(hours=25))
        told = owner.json(f"/api/v1/invoices/{invoice.number}/")
        printed = owner.get(f"/invoices/{invoice.number}.pdf").body

    assert point["cores"] is not None
    assert 0 <= point["cpu_percent"] <= 105
    assert settled["total"]["amount"] == told["total"]["amount"]
    assert [line["name"] for line in settled["lines"]] == [line["name"] for line in told["lines"]]
    assert told["total"]["amount"] == f"{invoice.total_minor // 100}.{invoice.total_minor % 100:02}"
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(printed)).pages)
    assert str(invoice.number) in text
    assert told["total"]["amount"] in text
    call_command("audit_usage")


def _covered_ms(machine_pk: int) -> int:
    return sum(UsageBucket.objects.filter(machine_id=machine_pk).values_list("covered_ms", flat=True))


def _settle(owner: Visitor) -> dict[str, Any]:
    """The estimate once it no longer moves: everything sent has been stored."""
    seen = [owner.json("/api/v1/estimate/")]

    def settled() -> bool:
        seen.append(owner.json("/api/v1/estimate/"))
        return _billed(seen[-1]) == _billed(seen[-2])

    wait(settled)
    return dict(seen[-1])


def _billed(estimate: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What is asked for; how much of the running month is covered moves with the clock."""
    return [(line["name"], line["base"], line["amount"]) for line in estimate["lines"]]
