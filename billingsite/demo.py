"""What the demo is: two companies and the paper's laboratory, their people and machines, and the recorded load."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from accounts.models import Customer
from usage.periods import month_of

NAB = Path(__file__).resolve().parent.parent / "demo" / "nab"
HISTORY_STEP_S = 300
LIVE_STEP_S = 2
READING_EVERY_S = 900
OPERATOR = "operator@corehour.example"


@dataclass(frozen=True, slots=True)
class Company:
    """A demo customer. Grace is nought, so that last month is final on the first of this one."""

    code: str
    name: str
    currency: str
    timezone: str
    locale: str
    address: str
    tax_id: str
    plan: str
    owner: str
    unsigned: str = ""


COMPANIES = (
    Company(
        "tideline", "Tideline Cartography GmbH", "EUR", "Europe/Berlin", "de-DE", "Speicherweg 14\n20457 Hamburg\nGermany",
        "DE999999999", "cloud-eur", "owner@tideline.example",
    ),
    Company(
        "harbor", "Harbor Analytics, Inc.", "USD", "America/New_York", "en-US", "88 Water Street\nNew York, NY 10005\nUSA",
        "", "cloud-usd", "owner@harbor.example",
    ),
    Company(
        "paper-lab", "Paper Laboratory", "USD", "America/New_York", "en-US", "1 College Walk\nNew York, NY 10027\nUSA",
        "", "paper", "owner@paper-lab.example", "The paper's own messages carry no signature.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoMachine:
    """A machine of the demo. Without a trace it is this host, measured by the real agent, or a spare."""

    code: str
    name: str
    customer: str
    trace: dict[str, Any] | None = None


def _replayed(cores: int, memory_gib: int, memory_percent: int, disk_gib: int, **more: Any) -> dict[str, Any]:
    size = {"cores": cores, "memory_mib": memory_gib * 1024, "memory_percent": memory_percent, "disk_mib": disk_gib * 1024}
    return size | more


MACHINES = (
    DemoMachine("this-host", "This host", "tideline"),
    DemoMachine("tile-01", "tile-01", "tideline", _replayed(16, 32, 58, 200, cpu="ec2_cpu_utilization_5f5533.csv")),
    DemoMachine("tile-02", "tile-02", "tideline", _replayed(8, 16, 71, 200, cpu="ec2_cpu_utilization_825cc2.csv")),
    DemoMachine("pg-fra-1", "pg-fra-1", "tideline", _replayed(8, 64, 82, 800, cpu="rds_cpu_utilization_cc0c53.csv")),
    DemoMachine("cache-fra-1", "cache-fra-1", "tideline", _replayed(4, 16, 64, 40, cpu="ec2_cpu_utilization_53ea38.csv")),
    DemoMachine(
        "edge-ams-1", "edge-ams-1", "tideline", _replayed(4, 8, 39, 80, cpu_percent=4, net_tx="ec2_network_in_257a54.csv")
    ),
    DemoMachine("spare-fra-1", "spare-fra-1", "tideline"),  # Speaks only in the self-check, which would meter others twice.
    DemoMachine("spare-nyc-1", "spare-nyc-1", "harbor"),
    DemoMachine("etl-1", "etl-1", "harbor", _replayed(8, 32, 47, 500, cpu="ec2_cpu_utilization_fe7f93.csv")),
    DemoMachine("api-1", "api-1", "harbor", _replayed(4, 8, 55, 60, cpu="ec2_cpu_utilization_77c1ca.csv")),
    DemoMachine(
        "store-1", "store-1", "harbor", _replayed(4, 16, 33, 1200, cpu_percent=7, disk_write="ec2_disk_write_bytes_c0d644.csv")
    ),
    DemoMachine(
        "paper-1", "paper-1", "paper-lab",
        {"cpu": "ec2_cpu_utilization_5f5533.csv", "memory_percent": 61, "version0": True, "every": READING_EVERY_S},
    ),
)  # fmt: skip


def fleet_file(start: datetime, end: datetime | None) -> str:
    """The replayed machines as a fleet file of the agent: history from start to end, or from start on and live."""
    lines = [f"from = {_toml_time(start)}", f"step = {HISTORY_STEP_S}", "movement = 12"]
    lines += [f"to = {_toml_time(end)}"] if end else ["follow = true", f"live_step = {LIVE_STEP_S}"]
    for machine in MACHINES:
        if machine.trace is not None:
            lines += ["", "[[machine]]", f"code = {json.dumps(machine.code)}"]
            lines += [f"{key} = {json.dumps(_located(value))}" for key, value in machine.trace.items()]
    return "\n".join(lines) + "\n"


def agent_file(machine: str, *, server: str, api_key: str) -> str:
    """The settings of the agent that measures this host."""
    return f'machine = "{machine}"\ninterval = {LIVE_STEP_S}\nserver = "{server}"\napi_key = "{api_key}"\n'


def customer_fields(company: Company) -> dict[str, Any]:
    """What the customer's row says."""
    names = ("name", "currency", "timezone", "locale", "address", "tax_id")
    return {name: getattr(company, name) for name in names} | {"grace_hours": 0}


def last_month_start(customer: Customer, now: datetime) -> datetime:
    """The first instant of last month in the customer's zone."""
    this_month = month_of(now, customer.zone)
    return month_of(this_month.start - timedelta(days=1), customer.zone).start


def _located(value: Any) -> Any:
    return str(NAB / value) if isinstance(value, str) and value.endswith(".csv") else value


def _toml_time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
