"""The doctor finds what is wrong and says how to mend it."""

import json
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from agent.cli import main
from agent.doctor import _server


class AnHourAhead(BaseHTTPRequestHandler):
    """A server by whose clock it is an hour later."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + 3_600, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_clock_that_is_wrong_is_said_and_how_to_mend_it() -> None:
    server = HTTPServer(("127.0.0.1", 0), AnHourAhead)
    thread = threading.Thread(target=server.handle_request)
    thread.start()

    finding = _server(f"http://127.0.0.1:{server.server_port}/")
    thread.join()
    server.server_close()

    assert (finding.what, finding.well) == ("clock", False)
    assert "s behind the server's; samples carry the server's time meanwhile: start a time service" in finding.words


@pytest.mark.kafka
@pytest.mark.usefixtures("agent_environment")
def test_a_well_machine_but_for_an_agent_that_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--output", "json"]) == 1

    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert [what for what, finding in findings.items() if not finding["well"]] == ["agent", "key"]
    assert "Start it: python -m agent run" in findings["agent"]["words"]
    assert "Enrol this machine: corehour-agent enrol URL TOKEN" in findings["key"]["words"]


@pytest.mark.kafka
@pytest.mark.usefixtures("agent_environment")
def test_a_topic_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--topic", "mistyped"]) == 1

    assert "BAD  broker: topic mistyped is not on" in capsys.readouterr().out


def test_no_broker_and_a_damaged_spool(state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.doctor.BROKER_MS", 300)
    (state / "web-1").mkdir()
    (state / "web-1" / "spool.sqlite3").write_bytes(b"nothing that SQLite knows" * 1_000)

    assert main(["doctor", "--machine", "web-1", "--bootstrap", "127.0.0.1:1", "--server", "http://127.0.0.1:1"]) == 1

    out = capsys.readouterr().out
    assert "BAD  broker: no answer from the broker at 127.0.0.1:1. Check KAFKA_BOOTSTRAP_SERVERS" in out
    assert "BAD  spool: " in out
    assert "BAD  server: http://127.0.0.1:1 does not answer" in out
    assert "encryption" not in out


def test_a_server_that_is_asked_in_the_open_is_said(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.doctor.BROKER_MS", 300)
    doctor = ["doctor", "--machine", "web-1", "--bootstrap", "127.0.0.1:1", "--server", "http://0.0.0.0:1"]

    assert main(doctor) == 1
    assert "BAD  encryption: http://0.0.0.0:1 is another machine and http is not encrypted" in capsys.readouterr().out
    assert main([*doctor, "--plaintext", "yes"]) == 1
    assert "encryption" not in capsys.readouterr().out
