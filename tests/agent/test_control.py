"""A running agent does as it is told, over its socket, and remembers it."""

import json
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.config import load
from agent.control import Server, socket_path
from agent.modes import Mode
from agent.service import Service
from tests.agent.broker_side import await_true, records, samples


@pytest.fixture
def service(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """An agent of this process that has no broker. It measures when the test says so."""
    monkeypatch.setenv("COREHOUR_MACHINE", "web-1")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    service = Service(load({}))
    server = Server(service, lambda: None)
    server.start()
    yield service
    server.close()
    service.close()


def told(service: Service, line: bytes) -> Any:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(socket_path(service.config.spool_path.parent)))
        connection.sendall(line + b"\n")
        with connection.makefile() as answer:
            return json.loads(answer.readline())


def test_only_its_own_user_can_reach_it(service: Service) -> None:
    mode = socket_path(service.config.spool_path.parent).stat().st_mode

    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_pause_and_resume(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pause"]) == 0
    assert (service.state(), service.gate.mode.paused) == ("paused", True)
    assert main(["resume"]) == 0
    assert (service.state(), service.gate.mode.paused) == ("starting", False)

    assert capsys.readouterr().out == "now: paused\nnow: continuous\n"


def test_modes_and_what_is_refused(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mode", "every", "30"]) == 0
    assert main(["mode", "above", "--cpu", "35"]) == 0
    assert main(["mode", "demand"]) == 0
    assert main(["mode", "every", "9999"]) == 2
    assert main(["mode", "every"]) == 2
    assert main(["mode", "continuous", "5"]) == 2

    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["now: every 30 s", "now: only above CPU 35 % or memory 50 %", "now: on demand"]
    assert "mode every: 9999 will not do. It must be a whole number of seconds from 1 to 3600." in captured.err
    assert service.gate.mode.words() == "on demand"


def test_a_mode_chosen_while_paused_is_said(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    main(["pause"])
    main(["mode", "every", "30"])

    assert capsys.readouterr().out == "now: paused\nnow: paused; once resumed: every 30 s\n"


def test_above_sends_each_sample_whatever_the_mode_before(service: Service) -> None:
    main(["mode", "every", "3600"])
    main(["mode", "above"])

    assert service.gate.mode == Mode(above=True)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("mode every 0", "mode every: 0 will not do. It must be a whole number of seconds from 1 to 3600."),
        ("mode every 3601", "mode every: 3601 will not do. It must be a whole number of seconds from 1 to 3600."),
        ("mode above --cpu 200", "--cpu: 200 will not do. It must be a whole number of percent from 0 to 100."),
        ("mode above --memory -1", "--memory: -1 will not do. It must be a whole number of percent from 0 to 100."),
        ("mode continuous --cpu 5", "say: mode above --cpu PERCENT --memory PERCENT; the other modes take no percentages."),
    ],
)
def test_a_mode_out_of_range_is_answered_alike_with_and_without_an_agent(
    service: Service, words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with_one = main(words.split())
    without = main([*words.split(), "--machine", "web-2"])

    assert (with_one, without) == (2, 2)
    assert capsys.readouterr().err == f"agent: {complaint}\n" * 2
    assert service.gate.mode.words() == "continuous"


def test_every_command_answers_programs_too(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str) -> Any:
        assert main([*words, "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert told("pause") == {"mode": "paused"}
    assert told("resume") == {"mode": "continuous"}
    assert told("mode", "every", "30") == {"mode": "every 30 s"}
    assert told("send") == {"waiting": 0, "trouble": None}


def test_sending_now_says_what_is_in_the_way(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    threading.Event().wait(0.01)
    service.tick()
    assert main(["send"]) == 0
    while service.delivery.publisher.trouble is None:
        service.delivery.step()

    assert main(["send"]) == 1
    sending, waiting = capsys.readouterr().out.splitlines()
    assert sending == "sending 1 samples"
    assert waiting == "no answer from the broker at 127.0.0.1:1; 1 samples wait on disk and go as soon as there is a way"


def test_it_is_starting_until_something_is_known(service: Service) -> None:
    threading.Event().wait(0.01)
    assert service.state() == "starting"

    service.tick()
    assert service.state() == "starting"  # Measured, but nobody knows yet whether it can be sent.
    service.delivery.last_sent_ms = 1
    assert service.state() == "running"
    service.delivery.last_sent_ms = 0
    service.set_mode(Mode(demand=True))
    assert service.state() == "running"  # It is not to be sent by itself, so there is nothing to wait for.


def test_status_says_where_each_setting_comes_from(service: Service) -> None:
    settings = service.snapshot()["settings"]

    assert settings["bootstrap"] == ["127.0.0.1:1", "KAFKA_BOOTSTRAP_SERVERS"]
    assert settings["interval"] == ["5", "the default"]
    assert settings["obey_interval"] == ["1-60", "the default"]
    assert settings["api_key"] == ["", "the default"]


def test_a_path_too_long_for_a_socket_is_what_is_said(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = str(state / ("x" * 100))

    assert main(["status", "--machine", "web-1", "--state-dir", long]) == 1
    assert "is longer than the 100 bytes that a socket's path may have" in capsys.readouterr().err


def test_the_mode_is_remembered(service: Service) -> None:
    main(["mode", "above", "--cpu", "35", "--memory", "60"])
    main(["pause"])
    service.close()

    again = Service(service.config)

    assert again.gate.mode.words() == "paused"
    again.pause(False)
    assert again.gate.mode.words() == "only above CPU 35 % or memory 60 %"
    again.close()


def test_status_for_people_and_for_programs(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    threading.Event().wait(0.01)
    service.tick()

    assert main(["status"]) == 0
    text = capsys.readouterr().out
    assert main(["status", "--output", "json"]) == 0
    snapshot = json.loads(capsys.readouterr().out)

    assert "Machine          web-1, agent " in text
    assert "Waiting on disk  1 of 1 samples" in text
    assert (snapshot["machine"], snapshot["waiting"], snapshot["gaps"]) == ("web-1", 1, [])
    assert snapshot["recent"][0]["cores"] == service.sampler.host.cores


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"not json",
        b'{"do": "explode"}',
        b'{"do": "mode", "mode": {"every_s": "5"}}',
        b'{"do": "mode", "mode": {"paused": 1}}',
        b'{"do": "mode", "mode": {"colour": "red"}}',
        b'{"do": "mode"}',
        b'{"do": "mode", "mode": {"every_s": 3601}}',
        100_000 * b"[",
        100_000 * b'{"do":',
    ],
)
def test_nonsense_is_answered_and_changes_nothing(service: Service, line: bytes) -> None:
    answer = told(service, line)

    assert list(answer) == ["error"]
    assert service.gate.mode.words() == "continuous"
    assert told(service, b'{"do": "status"}')["ok"]["state"] == "starting"


def test_a_caller_that_hangs_does_not_hold_up_the_next_for_long(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.control.TIMEOUT_S", 0.2)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.connect(str(socket_path(service.config.spool_path.parent)))

        assert told(service, b'{"do": "status"}')["ok"]["machine"] == "web-1"


@pytest.mark.parametrize("command", ["status", "pause", "resume", "send"])
def test_without_a_running_agent_it_says_so(state: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--machine", "web-1"]) == 4
    assert f"no agent is running in {state}/web-1" in capsys.readouterr().err


def test_a_second_agent_for_the_same_folder_is_refused(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--once"]) == 3
    assert "already works in" in capsys.readouterr().err


def test_a_full_disk_needs_attention_until_there_is_room(service: Service) -> None:
    service.spool._db.execute("PRAGMA max_page_count = 1")  # As full as a disk can be.
    states = []
    for _ in range(200):
        threading.Event().wait(0.002)
        service.tick()
        states.append(service.state())
    service.spool._db.execute("PRAGMA max_page_count = 100000")
    threading.Event().wait(0.002)
    service.tick()

    assert states[-1] == "needs attention"
    assert service.state() == "starting"
    (gap,) = service.spool.gaps()
    assert gap.samples == states.count("needs attention")


@pytest.mark.kafka
@pytest.mark.usefixtures("agent_environment")
def test_paused_nothing_leaves_and_send_sends_it_all_once(kafka_bootstrap: str, topic: str) -> None:
    service = Service(load({"interval": "1"}))
    server, stop = Server(service, lambda: None), threading.Event()
    service.pause(True)
    server.start()
    agent = threading.Thread(target=service.run, args=(stop,))
    agent.start()

    await_true(lambda: service.spool.position().next >= 3)
    assert records(kafka_bootstrap, topic) == []
    assert main(["send"]) == 0
    await_true(lambda: service.spool.position().acknowledged >= 3)
    sent = service.spool.position().acknowledged
    await_true(lambda: service.spool.position().next >= sent + 2)
    assert len(samples(records(kafka_bootstrap, topic))) == sent

    stop.set()
    agent.join(10)
    server.close()
