"""Whoever runs an agent is told how its key stands: none, taken, or refused; and its agent can read a key that is made anew."""

import json
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from agent.cli import main
from agent.config import load
from agent.console import page
from agent.control import Server as ControlServer
from agent.doctor import _key
from agent.keys import load as load_key
from agent.remote import Remote
from agent.service import Service
from tests.agent.broker_side import values
from tests.cast import a_customer, a_machine
from tests.usage.kafka import drain
from usage.enrolment import create_token, revoke
from usage.models import Machine
from usage.server_keys import make_sealing_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.kafka]
SOMEBODY = 12_345


@pytest.fixture
def machine() -> Machine:
    return a_machine(a_customer("acme"), "web-1")


@pytest.fixture
def server(settings: Settings, tmp_path: Path, kafka_bootstrap: str, topic: str, live_server: LiveServer) -> str:
    """Its address."""
    settings.USAGE_REQUIRE_SIGNATURE, settings.DATA_DIR, settings.USAGE_TOPIC = True, tmp_path, topic
    settings.KAFKA_BOOTSTRAP_SERVERS = settings.AGENT_BOOTSTRAP_SERVERS = kafka_bootstrap
    return str(live_server.url)


@pytest.fixture
def enrolled(server: str, machine: Machine, state: Path) -> Path:
    assert main(["enrol", server, create_token(machine)[1]]) == 0
    return state


def remote(service: Service) -> Remote:
    assert service.server is not None
    return Remote(service.server, service, service.spool, service.config, service.identity.server_key)


def test_a_refused_key_is_said_once_and_everywhere(
    enrolled: Path, machine: Machine, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(load({}))
    source, key = remote(service), service.identity.key
    assert key is not None
    source("web-1", service.spool.stream)
    assert (service.state(), service.snapshot()["trouble"]) == ("starting", None)
    assert f"Key              {key.id}\n" in page(service.snapshot())

    revoke(machine)
    for _ in range(3):
        source("web-1", service.spool.stream)

    said = [record for record in caplog.records if "refuses this machine's key" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.WARNING]
    assert "Enrol it again: corehour-agent enrol URL TOKEN" in said[0].getMessage()
    assert service.state() == "needs attention"
    assert f"Key              {key.id}, refused by the server since " in page(service.snapshot())
    assert "Last error       the server refuses this machine's key: The key is unknown or revoked" in page(service.snapshot())
    finding = _key(service.config)
    assert not finding.well
    assert f"{server} refuses {key.id}: The key is unknown or revoked" in finding.words
    service.close()

    assert main(["enrol", server, create_token(machine)[1]]) == 0
    again = Service(load({}))
    remote(again)("web-1", again.spool.stream)
    assert again.state() == "starting"
    assert _key(again.config).well
    again.close()


def test_one_that_is_not_enrolled_hears_of_it(
    server: str, state: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COREHOUR_MACHINE", "web-1")

    assert main(["run", "--once", "--interval", "1", "--bootstrap", "127.0.0.1:1"]) == 1
    assert "web-1 is not enrolled: usage is sent unsigned" in caplog.text
    service = Service(load({}))
    assert "Key              not enrolled\n" in page(service.snapshot())
    finding = _key(service.config)
    assert (finding.well, "Enrol this machine: corehour-agent enrol URL TOKEN" in finding.words) == (False, True)
    service.close()


def test_enrolling_and_changing_keys_answers_programs(
    server: str, machine: Machine, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enrol", server, create_token(machine)[1], "--output", "json"]) == 0
    first = load_key(state / "web-1" / "key.pem")
    assert first is not None
    assert json.loads(capsys.readouterr().out) == {"machine": "web-1", "key": first.id}

    service = Service(load({}))
    control = ControlServer(service, lambda: None)
    control.start()
    assert main(["new-key", "--output", "json"]) == 0
    control.close()
    service.close()

    second = load_key(state / "web-1" / "key.pem")
    assert second is not None
    assert json.loads(capsys.readouterr().out) == {"key": second.id}
    assert second.id != first.id


def test_no_key_is_left_over_after_enrolling(
    enrolled: Path, server: str, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    (enrolled / "web-1" / "next-key.pem").write_text("left by a change of key that was cut short")

    assert main(["enrol", server, create_token(machine)[1]]) == 0
    assert main(["enrol", server, "che_spent"]) == 1

    files = sorted(str(path.relative_to(enrolled)) for path in enrolled.rglob("*") if path.is_file())
    assert files == ["enrolment.json", "web-1/enrolment.json", "web-1/key.pem"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enrols for others")
def test_root_enrols_again_for_the_services_user(enrolled: Path, server: str, machine: Machine) -> None:
    for path in (enrolled, *enrolled.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY)

    assert main(["enrol", server, create_token(machine)[1]]) == 0

    assert {path.stat().st_uid for path in (enrolled, *enrolled.rglob("*"))} == {SOMEBODY}
    assert (enrolled / "web-1" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_an_agent_that_obeys_nothing_still_hears_how_far_it_is_stored(
    enrolled: Path, tmp_path: Path, kafka_bootstrap: str, topic: str
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("obey = []\nobey_interval = []\ninterval = 1\n")
    assert main(["run", "--once", "--config", str(file)]) == 0
    drain(kafka_bootstrap, topic)

    service = Service(load({"config": str(file)}))
    assert remote(service)("web-1", service.spool.stream) == 1
    service.close()


def test_a_sealed_replay_is_sealed_and_counts(
    server: str, machine: Machine, state: Path, tmp_path: Path, kafka_bootstrap: str, topic: str
) -> None:
    make_sealing_key()
    assert main(["enrol", server, create_token(machine)[1]]) == 0
    newest = make_sealing_key()
    trace = tmp_path / "cpu.csv"
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    trace.write_text(f"timestamp,value\n{start:%Y-%m-%d %H:%M:%S},50\n{start + timedelta(minutes=5):%Y-%m-%d %H:%M:%S},10\n")
    replay = ["replay", str(trace), "--machine", "web-1"]

    assert main([*replay, "--seal", "yes", "--output", "json"]) == 0
    stored = drain(kafka_bootstrap, topic)

    assert (stored.samples_stored, stored.rejected) == (2, 0)
    assert values(kafka_bootstrap, topic)[0].startswith(b"CHS1" + bytes.fromhex(newest.id))
