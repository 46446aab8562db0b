"""The window's own widgets and its colours: the state's shape, the two-minute line, light and dark."""

import os
import shutil
import subprocess
import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk
from tkinter.font import Font, nametofont


@dataclass(frozen=True, slots=True)
class Palette:
    """The portal's colours, as Tk wants them."""

    surface: str
    sunken: str
    line: str
    control: str
    ink: str
    ink_2: str
    ink_3: str
    accent: str
    warn: str
    bad: str


LIGHT = Palette("#ffffff", "#f1f5f6", "#e0e5e6", "#848e91", "#141d21", "#495559", "#616b6f", "#006e7b", "#955811", "#b82b28")
DARK = Palette("#0e1213", "#171c1e", "#23282a", "#656e71", "#eaedee", "#a9b1b3", "#8d9597", "#61c9cc", "#f0bf61", "#f98b84")


def desktop_palette() -> Palette:
    """Dark if the desktop says so: COREHOUR_AGENT_THEME, GTK_THEME, or GNOME's setting."""
    named = os.environ.get("COREHOUR_AGENT_THEME") or os.environ.get("GTK_THEME", "")
    if named:
        return DARK if "dark" in named.lower() else LIGHT
    gsettings = shutil.which("gsettings")
    if gsettings is None:
        return LIGHT
    try:
        asked = [gsettings, "get", "org.gnome.desktop.interface", "color-scheme"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=1, check=False).stdout  # noqa: S603 - a fixed question
    except (OSError, subprocess.TimeoutExpired):
        return LIGHT
    return DARK if "dark" in said else LIGHT


def apply(root: tk.Tk, palette: Palette) -> None:
    """Style every ttk widget from one palette."""
    root.configure(background=palette.surface)
    style = ttk.Style(root)
    style.theme_use("clam")
    style.configure(".", background=palette.surface, foreground=palette.ink, bordercolor=palette.line, focuscolor=palette.accent)
    style.configure(".", lightcolor=palette.surface, darkcolor=palette.surface, troughcolor=palette.sunken)  # No bevels.
    style.configure("Quiet.TLabel", foreground=palette.ink_2)
    style.configure("Bad.TLabel", foreground=palette.bad)
    style.configure("Word.TLabel", font=_sized(root, +3))
    style.configure("Small.TLabel", font=_sized(root, -1), foreground=palette.ink_2)
    field = {"fieldbackground": palette.surface, "foreground": palette.ink, "bordercolor": palette.control}
    for name in ("TCombobox", "TSpinbox", "TEntry"):
        style.configure(name, **field, arrowcolor=palette.ink_2, background=palette.sunken, insertcolor=palette.ink)
        style.map(name, fieldbackground=[("disabled", palette.sunken)], bordercolor=[("focus", palette.accent)])
    style.configure("TButton", background=palette.sunken, bordercolor=palette.control, padding=(10, 4))
    style.configure("TButton", lightcolor=palette.sunken, darkcolor=palette.sunken)
    plain = {name: palette.surface for name in ("background", "bordercolor", "lightcolor", "darkcolor")}
    style.configure("Plain.TButton", **plain, padding=(4, 4), width=0, foreground=palette.accent)
    style.map(
        "TButton",
        background=[("disabled", palette.surface), ("active", palette.line)],
        foreground=[("disabled", palette.ink_3)],
        bordercolor=[("focus", palette.accent)],
    )
    style.configure("TCheckbutton", indicatorbackground=palette.surface, indicatorforeground=palette.accent)
    style.map("TCheckbutton", background=[("active", palette.surface)], indicatorbackground=[("selected", palette.surface)])


def _sized(root: tk.Tk, points: int) -> Font:
    """The desktop's own font, so many points larger."""
    base = nametofont("TkDefaultFont", root)
    font = base.copy()
    font.delete_font = False  # Else it is gone with this variable.
    font.configure(size=base.actual("size") + points)
    return font


class Shape(tk.Canvas):
    """Dot, bars, ring or triangle, 14 pixels wide."""

    def __init__(self, parent: tk.Misc, palette: Palette) -> None:
        super().__init__(parent, width=16, height=16, background=palette.surface, highlightthickness=0)
        self._palette = palette
        self._shown = ""

    def show(self, shape: str) -> None:
        if shape == self._shown:
            return
        self._shown = shape
        self.delete("all")
        color = self._palette
        if shape == "dot":
            self.create_oval(2, 2, 14, 14, fill=color.accent, width=0)
        elif shape == "bars":
            self.create_rectangle(3, 2, 6, 14, fill=color.ink_2, width=0)
            self.create_rectangle(10, 2, 13, 14, fill=color.ink_2, width=0)
        elif shape == "ring":
            self.create_oval(3, 3, 13, 13, outline=color.warn, width=2)
        else:
            self.create_polygon(8, 1, 15, 14, 1, 14, fill=color.bad)


class Spark(tk.Canvas):
    """Two minutes of a share from 0 to 1 as one polyline. Hover or focus and arrow keys read a value."""

    def __init__(self, parent: tk.Misc, palette: Palette, read: Callable[[float], None]) -> None:
        """`read` is told the age (0 now, 1 the oldest) that the pointer or the keys look at; -1 for none."""
        super().__init__(
            parent, height=26, background=palette.sunken, takefocus=1, highlightthickness=1,
            highlightbackground=palette.line, highlightcolor=palette.accent,
        )  # fmt: skip
        self._read = read
        self._points: Sequence[tuple[float, float]] = ()
        self._age = -1.0
        self._line = self.create_line(0, 0, 0, 0, fill=palette.accent, width=1.5)
        self._mark = self.create_line(0, 0, 0, 0, fill=palette.control, state="hidden")
        self.bind("<Configure>", lambda _: self._draw())
        self.bind("<Motion>", lambda event: self._look(1 - event.x / max(1, self.winfo_width())))
        self.bind("<Leave>", lambda _: self._look(-1))
        self.bind("<FocusOut>", lambda _: self._look(-1))
        self.bind("<Left>", lambda _: self._look(min(1, max(0, self._age) + 1 / 60)))
        self.bind("<Right>", lambda _: self._look(max(0, self._age - 1 / 60)))

    def show(self, points: Sequence[tuple[float, float]]) -> None:
        """Points are (age, share), oldest first."""
        if points != self._points:
            self._points = points
            self._draw()

    def _look(self, age: float) -> None:
        self._age = age
        self._draw()
        self._read(age)

    def _draw(self) -> None:
        width, height = self.winfo_width() - 2, self.winfo_height() - 6
        flat = [value for age, share in self._points for value in (width * (1 - age), 3 + height * (1 - min(1.0, share)))]
        if len(flat) >= 4:
            self.coords(self._line, *flat)
        self.itemconfigure(self._line, state="normal" if len(flat) >= 4 else "hidden")
        x = width * (1 - self._age)
        self.coords(self._mark, x, 0, x, height + 6)
        self.itemconfigure(self._mark, state="normal" if self._age >= 0 else "hidden")
