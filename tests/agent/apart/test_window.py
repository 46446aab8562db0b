"""The window on a screen of its own, clicked and typed at, beside a real agent."""

import gc
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest

from agent.config import load
from agent.control import Server
from agent.modes import Mode
from agent.publisher import Broker, Publisher
from agent.service import Service
from billingsite.broker import EmbeddedKafka, ensure_topic
from billingsite.kafka_node import free_ports
from tests.agent.fault_proxy import proxy

pytest.importorskip("tkinter", reason="Python has no tkinter here")
import tkinter as tk  # noqa: E402

from agent.window import Window  # noqa: E402
from agent.window_link import Link  # noqa: E402
from agent.window_parts import DARK  # noqa: E402


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
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as answer:
            yield f":{answer.readline().strip()}"
        server.terminate()


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


class Screen:
    """The window as a person has it: looks, clicks, types."""

    def __init__(self, link: Link, display: str) -> None:
        self.root = tk.Tk(screenName=display)
        self.errors: list[BaseException] = []
        self.root.report_callback_exception = self._report
        self.link = link
        link.start()
        self.window = Window(self.root, link, DARK)
        self.window.refresh()

    def await_true(self, condition: Callable[[], object], within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "the window did not show it in time"
            self.root.update()
            time.sleep(0.01)

    def click(self, widget: tk.Misc) -> None:
        self.root.update()
        x, y = widget.winfo_width() // 2, widget.winfo_height() // 2
        widget.event_generate("<Enter>")
        widget.event_generate("<Motion>", x=x, y=y)
        widget.event_generate("<Button-1>", x=x, y=y)
        widget.event_generate("<ButtonRelease-1>", x=x, y=y)
        self.root.update()

    def enter(self, widget: tk.Entry, text: str) -> None:
        widget.focus_force()
        widget.delete(0, "end")
        widget.insert(0, text)
        self.press(widget, "<Return>")

    def press(self, widget: tk.Misc, key: str) -> None:
        widget.focus_force()
        self.root.update()
        widget.event_generate(key)
        self.root.update()

    def _report(self, kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        self.errors.append(error)


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


@pytest.mark.slow
def what_a_person_may_do(shown: Screen, dice: random.Random) -> list[Callable[[], object]]:
    window = shown.window
    fields = [window.settings.every_box, *window.settings.fields.values()]
    return [
        lambda: shown.click(window.button),
        lambda: shown.click(window.send_button),
        lambda: shown.click(window.settings.above_box),
        lambda: shown.click(window.sparks["memory"]),
        lambda: shown.enter(dice.choice(fields), dice.choice(["0", "5", "100", "abc", "-1", "99999", ""])),
        lambda: shown.press(window.sparks["cpu"], dice.choice(["<Left>", "<Right>", "<space>", "<Control-Return>"])),
        lambda: shown.root.geometry(f"{dice.randint(360, 700)}x{dice.randint(400, 560)}"),
    ]


def test_a_hundred_random_clicks_and_keys_raise_nothing(shown: Screen) -> None:
    dice = random.Random(20)
    things = what_a_person_may_do(shown, dice)

    for _ in range(100):
        dice.choice(things)()
        shown.await_true(lambda: True)

    assert shown.errors == []


def test_random_clicks_while_the_broker_comes_and_goes(shown: Screen, service: Service, tmp_path: Path) -> None:
    """Short here; `COREHOUR_WINDOW_MINUTES=30` makes it the endurance run, on a machine that has nothing else to do."""
    minutes = os.environ.get("COREHOUR_WINDOW_MINUTES")
    longest_s, port, dice = 0.0, free_ports(1)[0], random.Random(30)
    things, ends = what_a_person_may_do(shown, dice), time.monotonic() + 60 * float(minutes or "0.1")
    service.delivery.publisher = Publisher(Broker(f"127.0.0.1:{port}", "usage"))
    with EmbeddedKafka(tmp_path / "kafka", port=free_ports(1)[0]) as broker:
        ensure_topic(broker.bootstrap, "usage")
        with proxy(port, broker.ports[0]) as network:
            while time.monotonic() < ends:
                network.set(dice.choice(["open", "open", "cut", "hole"]))
                for _ in range(20):
                    started = time.monotonic()
                    dice.choice(things)()
                    longest_s = max(longest_s, time.monotonic() - started)
                    shown.await_true(lambda: True)
                    time.sleep(0.05)

    assert shown.errors == []
    assert longest_s < (0.2 if minutes else 5.0)  # What a loaded machine needs is no fault of the window.


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
