"""An agent and a server that have met: enrolment, signed and sealed usage, both ways to the topic, wishes. All of it real."""

import base64
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from agent.cli import main
from agent.config import Config, load
from agent.control import Server as ControlServer
from agent.http_publisher import Fallback, HttpPublisher
from agent.keys import load as load_key
from agent.remote import NotObeyed, Remote, Wish
from agent.sampler import Clock
from agent.server import Server
from agent.service import Service
from agent.wire import Message
from tests.agent.broker_side import values
from tests.agent.build import HOST, sample
from tests.cast import a_customer, a_machine
from tests.usage.kafka import drain
from usage import forwarding
from usage.enrolment import create_token, revoke
from usage.key_models import AgentState, AgentWish, MachineKey
from usage.models import IngestIncident, Machine, RejectedMessage, UsageSample
from usage.server_keys import make_sealing_key
from usage.wishes import agent_word, ask, sealed_wish

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def _server(settings: Settings, tmp_path: Path, kafka_bootstrap: str, topic: str) -> Iterator[None]:
    settings.USAGE_REQUIRE_SIGNATURE = True
    settings.DATA_DIR = tmp_path
    settings.USAGE_TOPIC = topic
    settings.KAFKA_BOOTSTRAP_SERVERS = settings.AGENT_BOOTSTRAP_SERVERS = kafka_bootstrap
    yield
    forwarding.close()


@pytest.fixture
def machine() -> Machine:
    return a_machine(a_customer("acme"), "web-1")


@pytest.fixture
def enrolled(machine: Machine, live_server: LiveServer, state: Path) -> Path:
    """The agent's state folder after `enrol`."""
    _, secret = create_token(machine)
    assert main(["enrol", live_server.url, secret]) == 0
    return state


def config(**flags: str) -> Config:
    return load({"interval": "1", **flags}, {"COREHOUR_AGENT_STATE_DIR": os.environ["COREHOUR_AGENT_STATE_DIR"]})


def send_one(**flags: str) -> None:
    assert Service(config(**flags)).once(threading.Event())


def test_a_token_is_all_that_a_machine_needs(enrolled: Path, machine: Machine, kafka_bootstrap: str, topic: str) -> None:
    send_one()

    assert drain(kafka_bootstrap, topic).samples_stored == 1
    key = enrolled / "web-1" / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert load_key(key).id == MachineKey.objects.get().keyid  # type: ignore[union-attr] # It is there.
    assert (config().server, config().bootstrap, config().machine) == (config().server, kafka_bootstrap, "web-1")


def test_a_token_works_once_and_the_agent_says_why_not(
    enrolled: Path, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enrol", live_server.url, "che_nonsense"]) == 1
    assert "This token is unknown, used or out of date" in capsys.readouterr().err


def test_a_revoked_machine_counts_no_longer(enrolled: Path, machine: Machine, kafka_bootstrap: str, topic: str) -> None:
    revoke(machine)
    send_one()

    assert drain(kafka_bootstrap, topic).rejected == 1
    assert RejectedMessage.objects.get().reason == "unknown_key"


def test_sealed_usage_counts_and_the_broker_cannot_read_it(
    machine: Machine, live_server: LiveServer, state: Path, kafka_bootstrap: str, topic: str
) -> None:
    make_sealing_key()
    assert main(["enrol", live_server.url, create_token(machine)[1]]) == 0

    send_one(seal="yes")
    (on_the_broker,) = values(kafka_bootstrap, topic)
    assert b"cpu" not in on_the_broker
    assert on_the_broker[:4] == b"CHS1"
    assert drain(kafka_bootstrap, topic).samples_stored == 1


def test_without_a_key_to_seal_to_nothing_leaves(enrolled: Path, kafka_bootstrap: str, topic: str) -> None:
    service = Service(config(seal="yes"))

    assert not service.once(threading.Event())
    assert "told no key" in (service.delivery.publisher.trouble or "")
    assert values(kafka_bootstrap, topic) == []


def test_over_http_the_same_bytes_reach_the_topic(enrolled: Path, kafka_bootstrap: str, topic: str) -> None:
    send_one(transport="HTTP", bootstrap=NOBODY)

    (value,) = values(kafka_bootstrap, topic)
    assert json.loads(value)["machine"] == "web-1"
    assert drain(kafka_bootstrap, topic).samples_stored == 1


def test_where_kafka_fails_for_a_while_http_takes_over(enrolled: Path, kafka_bootstrap: str, topic: str) -> None:
    service = Service(config(bootstrap=NOBODY))
    sender = service.delivery.publisher
    assert isinstance(sender, Fallback)
    sender._failing_since = sender._monotonic() - 30  # As long as a broker that is away takes to be believed.
    service.tick()
    while service.outbox.waiting() == 0:
        service.tick()
    while service.outbox.waiting():
        service.delivery.step()

    assert sender.over_http
    assert drain(kafka_bootstrap, topic).samples_stored >= 1
    service.close()


def test_a_machine_without_a_key_cannot_post(live_server: LiveServer, machine: Machine, state: Path) -> None:
    http = HttpPublisher(Server(live_server.url), "x", lambda topic, message: message)
    assert http.publish([Message(b"web-1", b"{}")]) == [False]
    assert "401" in str(http.trouble) or "credentials" in str(http.trouble)


def test_a_changed_key_counts_and_so_does_the_old_one(enrolled: Path, kafka_bootstrap: str, topic: str) -> None:
    service = Service(config())
    old = service.identity.key
    service.tick()
    name = service.new_key()
    service.close()
    send_one()

    assert old is not None
    assert name != old.id
    assert {key.keyid: key.state() for key in MachineKey.objects.all()} == {old.id: "being replaced", name: "in use"}
    assert drain(kafka_bootstrap, topic).rejected == 0


@pytest.mark.parametrize("off_ms", [3_600_000, -3_600_000])
def test_a_clock_an_hour_off_is_said_and_nothing_of_its_usage_is_lost(
    off_ms: int,
    enrolled: Path,
    machine: Machine,
    kafka_bootstrap: str,
    topic: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = Service(config(), clock=Clock(wall_ns=lambda: time.time_ns() + off_ms * 1_000_000))
    assert service.server is not None
    control = ControlServer(service, lambda: None)
    control.start()
    remote = Remote(service.server, service, service.spool, service.config, service.identity.server_key)

    remote("web-1", service.spool.stream)  # Refused for its time the first time, and asked again by the server's.
    threading.Event().wait(0.01)
    service.tick()
    while service.delivery.step():
        pass
    remote("web-1", service.spool.stream)
    assert main(["status"]) == 0
    control.close()
    service.close()

    assert drain(kafka_bootstrap, topic).samples_stored == 1
    assert abs(UsageSample.objects.get().end_ms - time.time_ns() // 1_000_000) < 60_000
    way = "ahead of" if off_ms > 0 else "behind"
    assert f"{way} the server's; samples carry the server's time" in capsys.readouterr().out
    assert "samples carry the server's time" in caplog.text
    assert abs(AgentState.objects.get().skew_ms - off_ms) < 10_000


class Met:
    """An agent in this process, its way to the server, and a person who asks."""

    def __init__(self, **flags: str) -> None:
        self.service = Service(config(**flags))
        assert self.service.server is not None
        settings = self.service.config
        self.remote = Remote(self.service.server, self.service, self.service.spool, settings, self.service.identity.server_key)
        self.person = User.objects.create_user("olga@acme.example", "x")

    def sync(self) -> int | None:
        """Twice: to hear what is asked, and to tell what became of it."""
        self.remote("web-1", self.service.spool.stream)
        return self.remote("web-1", self.service.spool.stream)

    def answer(self, machine: Machine, kind: str, seconds: int = 0) -> str:
        wish = ask(machine, self.person, kind, seconds)
        self.sync()
        wish.refresh_from_db()
        return wish.answer


def test_the_portal_asks_and_the_agent_obeys(enrolled: Path, machine: Machine) -> None:
    met = Met()

    assert met.sync() == 0
    assert met.answer(machine, "pause") == "done"
    assert met.service.gate.mode.paused
    assert (agent_word(machine), AgentState.objects.get().mode) == ("paused", "paused by the portal")
    assert met.answer(machine, "resume") == "done"
    assert not met.service.gate.mode.paused
    assert met.answer(machine, "interval", 30) == "done: one sample in 30 s"
    assert AgentState.objects.get().interval_s == 30
    met.service.close()
    assert Service(config()).interval == 30


def test_it_does_only_what_its_user_allows(enrolled: Path, machine: Machine) -> None:
    met = Met(obey="resume,interval", obey_interval="5-10")

    assert met.answer(machine, "pause") == "this machine's user does not allow it"
    assert met.answer(machine, "interval", 11) == "this machine's user allows intervals of 5 to 10 seconds"
    met.service.pause(True)
    assert met.answer(machine, "resume") == "this machine's user paused it, and only they resume it"
    assert AgentState.objects.get().mode == "paused by its user"
    assert met.service.gate.mode.paused
    assert met.service.interval == 1
    met.service.close()


def test_a_wish_counts_once_for_one_machine_in_time_and_only_from_the_server(enrolled: Path, machine: Machine) -> None:
    met = Met()
    wish = ask(machine, met.person, "pause")
    sent = sealed_wish(wish)
    server_key, now_ms = met.service.identity.server_key, 1_000 * int(wish.asked_at.timestamp())

    assert Wish.read(sent, server_key, "web-1", now_ms) == Wish(wish.pk, "pause", 0)
    body = json.loads(base64.b64decode(sent["body"])) | {"do": "resume"}
    altered = sent | {"body": base64.b64encode(json.dumps(body).encode()).decode()}
    for bad, name, at in (
        (altered, "web-1", now_ms),
        (sent, "web-2", now_ms),
        (sent, "web-1", now_ms + 25 * 3_600_000),
        ({}, "web-1", now_ms),
    ):
        with pytest.raises(NotObeyed):
            Wish.read(bad, server_key, name, at)
    met.sync()
    met.service.pause(False)
    met.remote._consider(sent)
    assert not met.service.gate.mode.paused
    met.service.close()


def test_a_wish_that_another_one_follows_is_asked_no_longer(machine: Machine) -> None:
    person = User.objects.create_user("olga@acme.example", "x")
    ask(machine, person, "pause")
    ask(machine, person, "resume")

    assert [wish.kind for wish in AgentWish.objects.filter(answered_at=None)] == ["resume"]
    with pytest.raises(ValueError, match="1 to 3600"):
        ask(machine, person, "interval", 0)


def test_the_watermark_comes_with_the_answer(enrolled: Path, machine: Machine, kafka_bootstrap: str, topic: str) -> None:
    send_one()
    drain(kafka_bootstrap, topic)
    met = Met()

    assert met.sync() == UsageSample.objects.count() == 1
    met.service.close()


def measured(service: Service, cpu_ms: int) -> None:
    """Ten seconds that both machines of a pair measure at the same time, a minute ago."""
    end_ms = time.time_ns() // 1_000_000 - 60_000
    assert service.spool.append(HOST, [replace(sample(0, cpu_ms=cpu_ms), start_ms=end_ms - 10_000, end_ms=end_ms)])


def sent_by(state: Path, cpu_ms: int) -> None:
    service = Service(load({"interval": "1"}, {"COREHOUR_AGENT_STATE_DIR": str(state)}), boot="")
    measured(service, cpu_ms)
    service.gate.ask()
    while service.delivery.step():
        pass
    assert service.outbox.waiting() == 0
    service.close()


@pytest.mark.parametrize(("with_spool", "reason"), [(False, "overlap"), (True, "equivocation")])
def test_a_clone_raises_an_alarm_and_is_billed_once(
    with_spool: bool, reason: str, enrolled: Path, machine: Machine, kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    Service(config()).close()
    clone = tmp_path / "clone"
    shutil.copytree(enrolled, clone, ignore=shutil.ignore_patterns("agent.sock", *([] if with_spool else ["spool.*"])))

    sent_by(enrolled, 1_000)
    sent_by(clone, 2_000)
    drain(kafka_bootstrap, topic)

    assert RejectedMessage.objects.get().reason == reason
    assert [incident.kind for incident in IngestIncident.objects.all()] == [reason]
    assert [row.cpu_ms for row in UsageSample.objects.all()] == [1_000]
