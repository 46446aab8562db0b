"""The window on a screen of its own, clicked and typed at, beside a real agent."""

import gc
import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import load
from agent.control import Server
from agent.modes import Mode
from agent.service import Service

pytest.importorskip("tkinter", reason="Python has no tkinter here")

from agent.window_link import Link  # noqa: E402
from tests.agent.screen import Screen, display, what_a_person_may_do  # noqa: E402


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
