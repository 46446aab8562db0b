"""The window's settings: apply at once, are remembered by the agent; a number out of range turns the label into the reason."""

import tkinter as tk
from tkinter import ttk
from typing import Any

from agent import window_words as words
from agent.modes import LONGEST_EVERY_S
from agent.window_link import Link

SPACINGS = ("0", "5", "10", "30", "60", "300", "3600")
QUIET = "Measuring goes on, and so does the bill. Quiet spells wait on disk and go out together, once an hour."
INDENT = 22


class Settings(ttk.Frame):
    """How often, and whether only above thresholds."""

    def __init__(self, parent: tk.Misc, link: Link) -> None:
        super().__init__(parent)
        self.link = link
        self.every = tk.StringVar(value="0")
        self.above = tk.BooleanVar()
        self.percents = {"cpu_percent": tk.StringVar(), "memory_percent": tk.StringVar()}
        self.labels: dict[str, ttk.Label] = {}
        self._told: dict[str, Any] = {}
        self._build_every()
        self._build_above()
        quiet = ttk.Label(self, text=QUIET, style="Small.TLabel")
        quiet.grid(row=3, column=0, sticky="w", padx=(INDENT, 0), pady=(3, 0))
        self.bind("<Configure>", lambda event: quiet.configure(wraplength=event.width - INDENT - 8))

    def show(self, snapshot: dict[str, Any], refusal: str | None) -> None:
        """Follow the agent, which another program may have told something, but leave alone what is being typed."""
        told = {name: snapshot[name] for name in ("every_s", "above", "cpu_percent", "memory_percent")}
        if told != self._told:
            self._told = told
            self.every.set(str(told["every_s"]))
            self.above.set(told["above"])
            for name, variable in self.percents.items():
                variable.set(str(told[name]))
        if refusal:
            self._complain("every_s", refusal)

    def _build_every(self) -> None:
        row = ttk.Frame(self)
        row.grid(row=0, column=0, sticky="w", pady=(0, 4))
        self._label(row, "every_s", "Send every").pack(side="left")
        self.every_box = ttk.Combobox(row, textvariable=self.every, values=SPACINGS, width=6)
        self.every_box.pack(side="left", padx=6)
        ttk.Label(row, text="s (0: each at once)", style="Quiet.TLabel").pack(side="left")
        for event in ("<<ComboboxSelected>>", "<Return>", "<FocusOut>"):
            self.every_box.bind(event, lambda _: self._number("every_s", self.every, LONGEST_EVERY_S, "s"), add=True)

    def _build_above(self) -> None:
        self.above_box = ttk.Checkbutton(self, text="Send only above", variable=self.above, command=self._apply_above)
        self.above_box.grid(row=1, column=0, sticky="w")
        row = ttk.Frame(self)
        row.grid(row=2, column=0, sticky="w", padx=(INDENT, 0))
        self.fields: dict[str, ttk.Spinbox] = {}
        for name, text in (("cpu_percent", "CPU"), ("memory_percent", "or memory")):
            self._label(row, name, text).pack(side="left", padx=(0, 4))
            self.fields[name] = self._spinbox(row, name)
            self.fields[name].pack(side="left")
            ttk.Label(row, text="%").pack(side="left", padx=(3, 10))

    def _spinbox(self, row: tk.Misc, name: str) -> ttk.Spinbox:
        variable = self.percents[name]

        def apply(_: object = None) -> None:
            self._number(name, variable, 100, "%")

        box = ttk.Spinbox(row, textvariable=variable, from_=0, to=100, width=4, command=apply)
        for event in ("<Return>", "<FocusOut>"):
            box.bind(event, apply)
        return box

    def _label(self, row: tk.Misc, name: str, text: str) -> ttk.Label:
        self.labels[name] = ttk.Label(row, text=text)
        self._texts = {**getattr(self, "_texts", {}), name: text}
        return self.labels[name]

    def _number(self, name: str, variable: tk.StringVar, most: int, unit: str) -> None:
        """Tell the agent a changed number. Out of range, the old value stays in force."""
        try:
            value = words.number(variable.get(), 0, most, unit)
        except ValueError as error:
            self._complain(name, str(error))
            return
        self.labels[name].configure(text=self._texts[name], style="TLabel")
        if value != self._told.get(name):
            self.link.tell(do="mode", mode={name: value, "demand": False})

    def _apply_above(self) -> None:
        self.link.tell(do="mode", mode={"above": self.above.get(), "demand": False})

    def _complain(self, name: str, reason: str) -> None:
        self.labels[name].configure(text=reason, style="Bad.TLabel")
