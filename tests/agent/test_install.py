"""The one line that installs the agent, run as it stands: a wheel in its own environment, a key, a unit, usage that counts."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.benchmarks.command import ENGINE
from tests.cast import a_customer, a_machine
from tests.usage.kafka import drain
from usage.enrolment import create_token
from usage.models import MachineKey

ROOT = Path(__file__).parent.parent.parent
INSTALL = ROOT / "agent" / "install.sh"


def run(*command: object, given: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """With nothing of this installation's around it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COREHOUR_", "KAFKA_", "USAGE_", "PYTHON"))}
    return subprocess.run(
        [str(part) for part in command],
        env={**kept, **environ},
        input=given,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(ENGINE == "postgres", reason="The agent knows no database: the run on SQLite does it.")
def test_one_line_installs_an_agent_that_meters_this_machine(
    live_server: LiveServer, settings: Settings, tmp_path: Path, kafka_bootstrap: str, topic: str
) -> None:
    settings.USAGE_REQUIRE_SIGNATURE, settings.DATA_DIR, settings.USAGE_TOPIC = True, tmp_path, topic
    settings.AGENT_BOOTSTRAP_SERVERS = kafka_bootstrap
    _, token = create_token(a_machine(a_customer(), "web-1"))
    prefix = tmp_path / "p"

    environ = {"COREHOUR_AGENT_PREFIX": str(prefix), "PYTHON": sys.executable}
    installed = run(INSTALL, live_server.url, "-", given=f"{token}\n", **environ)

    assert installed.returncode == 0, installed.stdout + installed.stderr
    agent, state = prefix / "opt/corehour-agent/bin/corehour-agent", prefix / "var/lib/corehour-agent"
    assert (state / "web-1" / "key.pem").stat().st_mode & 0o777 == 0o600
    assert MachineKey.objects.get().machine.code == "web-1"
    assert f"ExecStart={agent} run" in (prefix / "etc/systemd/system/corehour-agent.service").read_text()
    once = run(agent, "run", "--once", "--interval", "1", "--state-dir", state)
    assert once.returncode == 0, once.stderr
    assert drain(kafka_bootstrap, topic).samples_stored == 1
    packages = run(agent.with_name("pip"), "list", "--format", "freeze").stdout.lower()
    assert f"psutil=={version('psutil')}" in packages
    assert "corehour-agent==" in packages
    assert "django" not in packages


def test_it_says_what_it_needs() -> None:
    done = run(INSTALL, "https://billing.example.com")

    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_without_a_token_where_it_was_promised_nothing_is_installed(tmp_path: Path) -> None:
    environ = {"COREHOUR_AGENT_PREFIX": str(tmp_path), "PYTHON": sys.executable}
    done = run(INSTALL, "https://billing.example.com", "-", **environ)

    assert done.returncode == 2
    assert "no token on standard input" in done.stderr
    assert list(tmp_path.iterdir()) == []
