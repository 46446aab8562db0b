"""A screen that nobody sees, and a person before it: looks at the agent's window, clicks and types. Needs tkinter."""

import os
import random
import subprocess
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from agent.window import Window
from agent.window_link import Link
from agent.window_parts import DARK, Palette


@contextmanager
def display(*flags: str) -> Iterator[str]:
    """Run an X server. Yield its name."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp", *flags]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as answer:
            yield f":{answer.readline().strip()}"
        server.terminate()


class Person:
    """Somebody before a window: looks, clicks, types."""

    def __init__(self, root: tk.Tk) -> None:
        self.root = root
        self.errors: list[BaseException] = []
        self.root.report_callback_exception = self._report

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

    def close_logs(self) -> None:
        """Close every window that was opened beside the first."""
        for child in list(self.root.winfo_children()):
            if isinstance(child, tk.Toplevel):
                self.press(child, "<Escape>")

    def _report(self, kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        self.errors.append(error)


class Screen(Person):
    """The window as a person has it."""

    def __init__(self, link: Link, display: str, palette: Palette = DARK) -> None:
        super().__init__(tk.Tk(screenName=display))
        self.link = link
        link.start()
        self.window = Window(self.root, link, palette)
        self.window.refresh()


def what_a_person_may_do(shown: Screen, dice: random.Random) -> list[Callable[[], object]]:
    window = shown.window
    fields = [window.settings.every_box, *window.settings.fields.values()]
    return [
        lambda: shown.click(window.button),
        lambda: shown.click(window.send_button),
        lambda: shown.click(window.settings.above_box),
        lambda: shown.click(window.sparks["memory"]),
        lambda: shown.click(window.enrol_button) if window.enrol_button.winfo_ismapped() else None,
        lambda: shown.click(window.settings_button),
        lambda: shown.enter(dice.choice(fields), dice.choice(["0", "5", "100", "abc", "-1", "99999", ""])),
        lambda: shown.press(window.sparks["cpu"], dice.choice(["<Left>", "<Right>", "<space>", "<Control-Return>"])),
        lambda: shown.root.geometry(f"{dice.randint(360, 700)}x{dice.randint(400, 560)}"),
        lambda: shown.press(window.sparks["cpu"], "<Control-l>"),
        shown.close_logs,
    ]
