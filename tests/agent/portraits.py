"""Makes docs/screens/agent-*.png: `python -m tests.agent.portraits`. Needs tkinter, Xvfb and what the embedded broker needs.

The pictures are what an X server that nobody sees has in its memory: a real agent beside a real broker, after a minute.
"""

import os
import struct
import tempfile
import threading
import tkinter as tk
import zlib
from pathlib import Path

from agent import keys
from agent.config import load
from agent.control import Server
from agent.service import Service
from agent.window_link import Link
from agent.window_parts import DARK, LIGHT, Palette
from agent.window_session import Session
from billingsite.broker import EmbeddedKafka, ensure_topic
from billingsite.kafka_node import free_ports
from tests.agent.broker_side import await_true
from tests.agent.screen import Person, Screen, display

FOLDER = Path(__file__).parent.parent.parent / "docs" / "screens"
POINTS = 60
SIZE = "420x460+0+0"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ch-") as name:
        place = Path(name)
        os.environ |= {"COREHOUR_AGENT_STATE_DIR": str(place / "s"), "USAGE_TOPIC": "resource_usage"}
        with EmbeddedKafka(place / "kafka", port=free_ports(1)[0]) as broker, display("-fbdir", name) as screen:
            ensure_topic(broker.bootstrap, "resource_usage")
            os.environ["KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrap
            _agent(place, screen)
            _first(place, screen)


def _agent(place: Path, screen: str) -> None:
    """A window in light and dark, once the agent has measured for a while."""
    config = load({"machine": "tile-01", "interval": "1"})
    keys.keep(keys.generate(), config.key_path)
    service, stop = Service(config), threading.Event()
    control = Server(service, stop.set)
    control.start()
    agent = threading.Thread(target=service.run, args=(stop,))
    agent.start()
    try:
        await_true(lambda: len(service.recent) >= POINTS and service.state() == "running", within_s=3 * POINTS)
        for scheme, palette in (("light", LIGHT), ("dark", DARK)):
            _shown(place, screen, Link(config, []), palette, f"agent-window-{scheme}")
    finally:
        stop.set()
        agent.join(15)
        control.close()


def _shown(place: Path, screen: str, link: Link, palette: Palette, name: str) -> None:
    person = Screen(link, screen, palette)
    person.root.geometry(SIZE)
    person.await_true(lambda: person.window.word.cget("text") == "Running")
    _settled(person)
    shoot(place, person.root, name)
    if palette is LIGHT:
        person.window.show_settings()
        (table,) = [child for child in person.root.winfo_children() if isinstance(child, tk.Toplevel)]
        table.geometry("+0+0")
        table.lift()
        _settled(person)
        shoot(place, table, "agent-settings-light")
    person.root.destroy()
    link.stop()


def _first(place: Path, screen: str) -> None:
    """The window of a machine that was never enrolled."""
    root = tk.Tk(screenName=screen)
    Session(root, lambda: load({}), [], LIGHT).enrol_first(place / "new", plaintext=False)
    root.geometry(SIZE)
    _settled(Person(root))
    shoot(place, root, "agent-enrol-light")
    root.destroy()


def _settled(person: Person) -> None:
    """Until the window has been drawn: a few turns of its loop, one refresh at least."""
    turns = iter(range(60))
    person.await_true(lambda: next(turns, None) is None)


def shoot(place: Path, window: tk.Misc, name: str) -> None:
    x, y, width, height = (getattr(window, f"winfo_{what}")() for what in ("rootx", "rooty", "width", "height"))
    rows = [row[4 * x : 4 * (x + width)] for row in _screen(place / "Xvfb_screen0")[y : y + height]]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.png").write_bytes(_png(width, height, b"".join(b"\0" + _rgb(row) for row in rows)))
    print(FOLDER / f"{name}.png")


def _screen(dump: Path) -> list[bytes]:
    """The rows of an X window dump: a header of 32-bit words, a table of colours, and four bytes a pixel, blue first."""
    content = dump.read_bytes()
    header = struct.unpack(">25I", content[:100])
    start, height, width_bytes = header[0] + 12 * header[19], header[5], header[12]
    return [content[start + row * width_bytes : start + (row + 1) * width_bytes] for row in range(height)]


def _rgb(row: bytes) -> bytes:
    return bytes(value for at in range(0, len(row), 4) for value in (row[at + 2], row[at + 1], row[at]))


def _png(width: int, height: int, rows: bytes) -> bytes:
    head = _part(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _part(b"IDAT", zlib.compress(rows, 9)) + _part(b"IEND", b"")


def _part(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


if __name__ == "__main__":
    main()
