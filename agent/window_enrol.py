"""The window's way in: the portal's address and a token make this machine's key. The network is asked in a thread of its own."""

import threading
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

from agent import enrolment
from agent.config import ConfigError, address_of
from agent.keys import KeyProblem
from agent.private import FolderProblem
from agent.server import ServerProblem

LOOK_MS = 100
ASK = "Make a token on this machine's page in the portal (Agent and keys), and paste it here, or the whole command that it shows."


def pasted(address: str, token: str) -> tuple[str, str]:
    """Address and token, whichever field a whole `corehour-agent enrol URL TOKEN` was pasted into."""
    for text in (address, token):
        words = text.split()
        if "enrol" in words[:-2]:
            return words[-2], words[-1]
    return address.strip(), token.strip()


class EnrolForm(ttk.Frame):
    """Two fields, a button, and the answer in words in the same place. `done` is told the machine's code."""

    def __init__(
        self, parent: tk.Misc, state_dir: Path, *, plaintext: bool, address: str = "", done: Callable[[str], None]
    ) -> None:
        super().__init__(parent)
        self._state_dir, self._plaintext, self._done = state_dir, plaintext, done
        self._outcome: tuple[str | None, str] | None = None
        self.address = tk.StringVar(value=address)
        self.token = tk.StringVar()
        self.columnconfigure(1, weight=1)
        self._lines: list[ttk.Label] = []
        self._text(0, ASK, "Quiet.TLabel")
        self.fields = [self._field(1, "Portal", self.address), self._field(2, "Token", self.token)]
        self.button = ttk.Button(self, text="Enrol", command=self.enrol)
        self.button.grid(row=3, column=1, sticky="e", pady=(8, 0))
        self.answer = self._text(4, "", "TLabel")
        self.bind("<Configure>", lambda event: [line.configure(wraplength=event.width - 8) for line in self._lines])
        self.fields[1 if address else 0].focus_set()

    def enrol(self) -> None:
        """Ask, unless it is being asked."""
        if self.button.instate(["disabled"]):
            return
        address, token = pasted(self.address.get(), self.token.get())
        self.address.set(address)
        self.token.set(token)
        if not token:
            self.fields[1].focus_set()
            self._say("The token belongs into the second field.", "Quiet.TLabel")
            return
        self.button.state(["disabled"])
        self._say("Asking the server …", "Quiet.TLabel")
        threading.Thread(target=self._ask, args=(address, token), name="enrol", daemon=True).start()
        self.after(LOOK_MS, self._look)

    def _ask(self, address: str, token: str) -> None:
        """In the thread: touches no widget."""
        try:
            machine, _ = enrolment.enrol(address_of(address, self._plaintext), token, self._state_dir)
            self._outcome = machine, f"This machine is {machine} now."
        except (ConfigError, ServerProblem, KeyProblem, FolderProblem, OSError) as error:
            self._outcome = None, str(error).removeprefix("URL: ")
        except Exception as error:  # Whatever it is, it is the answer: a thread that died would leave the button dead.
            self._outcome = None, f"{type(error).__name__}: {error}"

    def _look(self) -> None:
        if self._outcome is None:
            self.after(LOOK_MS, self._look)
            return
        (machine, words), self._outcome = self._outcome, None
        self.button.state(["!disabled"])
        self._say(words[:1].upper() + words[1:], "TLabel" if machine else "Bad.TLabel")
        if machine:
            self.token.set("")
            self._done(machine)

    def _say(self, words: str, style: str) -> None:
        self.answer.configure(text=words, style=style)

    def _text(self, row: int, text: str, style: str) -> ttk.Label:
        label = ttk.Label(self, text=text, style=style)
        label.grid(row=row, column=0, columnspan=2, sticky="ew", pady=(6, 2))
        self._lines.append(label)
        return label

    def _field(self, row: int, text: str, variable: tk.StringVar) -> ttk.Entry:
        ttk.Label(self, text=text, width=8).grid(row=row, column=0, sticky="w", pady=3)
        entry = ttk.Entry(self, textvariable=variable)
        entry.grid(row=row, column=1, sticky="ew", pady=3)
        entry.bind("<Return>", lambda _: self.enrol())
        return entry
