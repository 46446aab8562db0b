"""The window's table of settings: each value, and whether a flag, the environment, the file, enrolment or nobody said it."""

import tkinter as tk
from collections.abc import Mapping, Sequence
from tkinter import ttk

COLUMNS = (("name", "Setting", 180), ("value", "Value", 220), ("origin", "From", 280))


def rows(settings: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    """What somebody said first, in the order of the documentation; then what is as it always is."""
    said = [(name, value, origin) for name, (value, origin) in settings.items()]
    return sorted(said, key=lambda row: row[2] == "the default")


class Origins(tk.Toplevel):
    """A window of its own; Escape closes it."""

    def __init__(self, root: tk.Misc, settings: Mapping[str, Sequence[str]], background: str) -> None:
        super().__init__(root, background=background)
        self.title("Corehour, settings")
        self.geometry("700x600")
        note = (
            "A flag goes before the environment, that before the file, that before what enrolment told, that before the default."
        )
        ttk.Label(self, text=note, style="Quiet.TLabel", wraplength=670, padding=(10, 8)).pack(fill="x")
        self.table = ttk.Treeview(self, columns=[name for name, _, _ in COLUMNS], show="headings")
        for name, heading, width in COLUMNS:
            self.table.heading(name, text=heading, anchor="w")
            self.table.column(name, width=width, anchor="w")
        for row in rows(settings):
            self.table.insert("", "end", values=row)
        self.table.pack(fill="both", expand=True, padx=10, pady=(0, 10))
        self.bind("<Escape>", lambda _: self.destroy())
        self.table.focus_set()
