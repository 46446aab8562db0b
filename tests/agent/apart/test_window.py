"""The window on a screen of its own, clicked and typed at, beside a real agent."""

import gc
import os
import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from agent.config import load
from agent.control import Server
from agent.modes import Mode
from agent.service import Service
from tests.agent.broker_side import await_true
from tests.cast import a_customer, a_machine
from usage.enrolment import create_token
from usage.key_models import MachineKey

tk = pytest.importorskip("tkinter", reason="Python has no tkinter here")

from agent.window_link import Link  # noqa: E402
from agent.window_origins import Origins  # noqa: E402
from agent.window_parts import DARK  # noqa: E402
from agent.window_session import Session  # noqa: E402
from tests.agent.screen import Person, Screen, display, what_a_person_may_do  # noqa: E402


@pytest.fixture(autouse=True)
def _collected_here() -> Iterator[None]:
    """Let no other thread collect what is left of a window: Tcl aborts when an interpreter dies in a foreign thread."""
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    """A display that nobody sees."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed: apt-get install xvfb")
    with display() as name:
        yield name


@pytest.fixture
def service(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """An agent of this process, measuring every second, without a broker."""
    monkeypatch.setenv("COREHOUR_MACHINE", "tile-01")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    service = Service(load({"interval": "1"}))
    stop = threading.Event()
    server = Server(service, stop.set)
    server.start()

    def work() -> None:
        service.run(stop)
        server.close()

    agent = threading.Thread(target=work)
    agent.start()
    yield service
    stop.set()
    agent.join(15)


@pytest.fixture
def shown(screen: str, service: Service) -> Iterator[Screen]:
    person = Screen(Link(service.config, []), screen)
    person.await_true(lambda: person.window.word.cget("text") in ("Running", "Offline"))
    yield person
    if not person.errors:
        person.root.destroy()
    person.link.stop()
    assert person.errors == []


def test_it_shows_what_the_agent_measures(shown: Screen, service: Service) -> None:
    shown.await_true(lambda: "cores" in shown.window.figures["cpu"].cget("text"))

    assert shown.window.figures["cpu"].cget("text").endswith(f" of {service.sampler.host.cores} cores")
    assert shown.window.version.cget("text").startswith("tile-01, agent ")
    assert shown.root.title() == "Corehour, tile-01"


def test_pause_and_resume_by_click_and_by_space(shown: Screen, service: Service) -> None:
    window = shown.window

    shown.click(window.button)
    shown.await_true(lambda: window.word.cget("text") == "Paused")
    assert service.gate.mode.paused
    assert window.button.cget("text") == "Resume"
    shown.press(window.sparks["cpu"], "<space>")
    shown.await_true(lambda: window.word.cget("text") != "Paused")

    assert not service.gate.mode.paused


def test_settings_apply_at_once(shown: Screen, service: Service) -> None:
    settings = shown.window.settings

    shown.enter(settings.every_box, "30")
    shown.await_true(lambda: service.gate.mode.every_s == 30)
    shown.click(settings.above_box)
    shown.await_true(lambda: service.gate.mode.above)
    shown.enter(settings.fields["cpu_percent"], "35")
    shown.await_true(lambda: service.gate.mode.cpu_percent == 35)

    assert Mode.from_json(service.spool.recall("mode")) == Mode(every_s=30, above=True, cpu_percent=35)


def test_a_number_out_of_range_turns_its_label_into_the_reason(shown: Screen, service: Service) -> None:
    settings = shown.window.settings

    shown.enter(settings.every_box, "9999")

    assert settings.labels["every_s"].cget("text") == "0 to 3600 s"
    assert service.gate.mode.every_s == 0
    shown.enter(settings.every_box, "5")
    assert settings.labels["every_s"].cget("text") == "Send every"


def test_offline_is_said_in_words_and_the_error_stays(shown: Screen) -> None:
    window = shown.window

    shown.await_true(lambda: window.word.cget("text") == "Offline" and window.queue[3].cget("text") != "none")

    assert "No connection" in window.sentence.cget("text")
    assert window.queue[3].cget("text") == "no answer from the broker at 127.0.0.1:1"
    assert not window.queue[0].cget("text").startswith("0 ")


def test_send_now_is_there_only_when_something_waits(shown: Screen, service: Service) -> None:
    window = shown.window
    shown.click(window.button)
    shown.await_true(lambda: window.queue[0].cget("text") not in ("0 samples", ""))

    assert not window.send_button.instate(["disabled"])
    service.outbox.settle([True] * len(service.outbox.collect()))
    shown.await_true(lambda: service.outbox.waiting() or window.send_button.instate(["disabled"]))


def test_it_reads_a_value_where_the_pointer_is(shown: Screen) -> None:
    spark = shown.window.sparks["cpu"]
    shown.await_true(lambda: "cores" in shown.window.figures["cpu"].cget("text"))

    spark.event_generate("<Motion>", x=spark.winfo_width() - 1, y=5)
    shown.await_true(lambda: " at " in shown.window.figures["cpu"].cget("text"))
    spark.event_generate("<Leave>")
    shown.await_true(lambda: " at " not in shown.window.figures["cpu"].cget("text"))


def test_when_the_agent_goes_it_says_so_and_offers_to_start_one(shown: Screen, service: Service) -> None:
    shown.link.tell(do="stop")

    shown.await_true(lambda: shown.window.word.cget("text") == "Needs attention", within_s=20)
    assert shown.window.button.cget("text") == "Start"


def test_a_hundred_random_clicks_and_keys_raise_nothing(shown: Screen) -> None:
    dice = random.Random(20)
    things = what_a_person_may_do(shown, dice)

    for _ in range(100):
        dice.choice(things)()
        shown.await_true(lambda: True)

    assert shown.errors == []


def test_it_shows_where_each_setting_comes_from(shown: Screen) -> None:
    shown.await_true(lambda: shown.link.snapshot)

    shown.click(shown.window.settings_button)

    (table,) = [child for child in shown.root.winfo_children() if isinstance(child, Origins)]
    found = [table.table.item(row, "values") for row in table.table.get_children()]
    assert ("machine", "tile-01", "COREHOUR_MACHINE") in found
    assert ("interval", "1", "--interval") in found
    assert found[-1][2] == "the default"
    shown.press(table.table, "<Escape>")


def test_enrolling_is_offered_and_can_be_left_again(shown: Screen) -> None:
    window = shown.window
    shown.await_true(lambda: window.enrol_button.winfo_ismapped())

    shown.click(window.enrol_button)
    shown.await_true(lambda: window.enrolling is not None and window.enrolling.winfo_ismapped())
    assert not window.settings.winfo_ismapped()
    shown.press(window.root, "<Escape>")
    shown.await_true(lambda: window.settings.winfo_ismapped())

    assert window.enrolling is None


def test_the_window_lives_while_the_server_says_nothing(shown: Screen) -> None:
    window = shown.window
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shown.await_true(lambda: window.enrol_button.winfo_ismapped())
        shown.click(window.enrol_button)
        form = window.enrolling
        assert form is not None
        silent.settimeout(20)
        shown.enter(form.fields[0], f"http://127.0.0.1:{silent.getsockname()[1]}")
        shown.enter(form.fields[1], "che_x")
        connection, _ = silent.accept()
        seen = window.sentence.cget("text")
        shown.await_true(lambda: window.sentence.cget("text") != seen)  # The state goes on changing meanwhile.
        assert form.answer.cget("text") == "Asking the server …"
        connection.close()

        shown.await_true(lambda: form.answer.cget("text").startswith("No answer from http://127.0.0.1:"))
    assert form.button.instate(["!disabled"])


@pytest.mark.django_db(transaction=True)
def test_a_machine_enrols_in_the_window_and_its_agent_starts(
    screen: str, state: Path, live_server: LiveServer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR, settings.AGENT_BOOTSTRAP_SERVERS = tmp_path, "127.0.0.1:1"
    monkeypatch.setattr("agent.window_session.ENROLLED_MS", 1)
    _, token = create_token(a_machine(a_customer(), "tile-03"))
    root = tk.Tk(screenName=screen)
    person = Person(root)
    session = Session(root, lambda: load({}, {"COREHOUR_AGENT_STATE_DIR": str(state)}), [], DARK)
    form = session.enrol_first(state, plaintext=False).form

    person.enter(form.fields[0], live_server.url)
    person.enter(form.fields[1], "che_nonsense")
    person.await_true(lambda: form.answer.cget("text").startswith("This token is unknown, used or out of date"))
    person.enter(form.fields[1], f"corehour-agent enrol {live_server.url} {token}")
    person.await_true(lambda: session.link and session.link.snapshot, within_s=30)

    assert session.link is not None
    assert session.window is not None
    assert session.link.snapshot is not None
    assert session.link.snapshot["key"] == MachineKey.objects.get().keyid
    person.await_true(lambda: session.window and session.window.version.cget("text").startswith("tile-03, agent"))
    session.link.tell(do="stop")
    session.end()
    root.destroy()
    await_true(lambda: not (state / "tile-03" / "agent.sock").exists())


def test_closing_leaves_an_agent_that_it_started_and_says_so_once(screen: str, state: Path) -> None:
    flags = ["--machine", "tile-02", "--interval", "1", "--bootstrap", "127.0.0.1:1"]
    config = load({"machine": "tile-02"}, os.environ)
    person = Screen(Link(config, flags), screen)
    person.await_true(lambda: person.link.snapshot)

    person.window.close()
    person.root.update()
    assert person.window.farewell.cget("text") == "The agent goes on without this window."

    person.click(person.window.stop_button)
    person.link.stop()
    deadline = time.monotonic() + 15
    while (state / "tile-02" / "agent.sock").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "samples wait on disk" in (state / "tile-02" / "agent.log").read_text()
