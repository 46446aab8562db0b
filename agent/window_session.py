"""The window from first look to last: a machine that was never enrolled is asked for its token, then its agent is shown."""

import tkinter as tk
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tkinter import ttk

from agent.config import Config, ConfigError, NoMachine
from agent.window import ENROLLED_MS, Window
from agent.window_enrol import EnrolForm
from agent.window_link import Link
from agent.window_parts import Palette, apply, desktop_palette


class First:
    """The window of a machine that has no code yet: the form alone, until it is enrolled."""

    def __init__(self, root: tk.Tk, state_dir: Path, *, plaintext: bool, palette: Palette, done: Callable[[], None]) -> None:
        apply(root, palette)
        root.title("Corehour")
        root.geometry("420x460")
        root.minsize(360, 400)
        self._frame = ttk.Frame(root, padding=(16, 10, 16, 0))
        self._frame.pack(fill="both", expand=True)
        self._frame.columnconfigure(0, weight=1)
        self._done = done
        ttk.Label(self._frame, text="This machine is not enrolled", style="Word.TLabel").grid(row=0, sticky="w")
        self.form = EnrolForm(self._frame, state_dir, plaintext=plaintext, done=self._enrolled)
        self.form.grid(row=1, sticky="ew")
        root.bind("<Escape>", lambda _: root.destroy())

    def _enrolled(self, machine: str) -> None:
        self._frame.after(ENROLLED_MS, self._go_on)

    def _go_on(self) -> None:
        try:
            self._done()
        except ConfigError as error:  # Enrolled, but something else is wrong: the words stay until the window is opened again.
            self.form.answer.configure(text=str(error), style="Bad.TLabel")
            return
        self._frame.destroy()


class Session:
    """The window from the first look to the last. Starts an agent if none is running."""

    def __init__(self, root: tk.Tk, load: Callable[[], Config], arguments: Sequence[str], palette: Palette) -> None:
        self.root, self._load, self._arguments, self._palette = root, load, arguments, palette
        self.link: Link | None = None
        self.window: Window | None = None

    def begin(self) -> None:
        """Raise ConfigError."""
        self.link = Link(self._load(), self._arguments)
        self.link.start()
        self.window = Window(self.root, self.link, self._palette)
        self.window.refresh()

    def enrol_first(self, state_dir: Path, *, plaintext: bool) -> First:
        return First(self.root, state_dir, plaintext=plaintext, palette=self._palette, done=self.begin)

    def end(self) -> None:
        if self.link:
            self.link.stop()


def run(load: Callable[[], Config], arguments: Sequence[str], state_dir: Path, *, plaintext: bool) -> int:
    """Show the window until it is closed. Raise ConfigError."""
    enrolled = None
    with suppress(NoMachine):
        enrolled = load()
    root = tk.Tk(className="corehour")
    session = Session(root, load, arguments, desktop_palette())
    if enrolled is None:
        session.enrol_first(state_dir, plaintext=plaintext)
    else:
        session.begin()
    root.mainloop()
    session.end()
    return 0
