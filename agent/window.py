"""The window: is it measuring, is it sending, has anything been lost. Shows the link's snapshot and never waits."""

import tkinter as tk
from tkinter import ttk
from tkinter.font import nametofont
from typing import Any

from agent import window_words as words
from agent.window_enrol import EnrolForm
from agent.window_link import Link
from agent.window_origins import Origins
from agent.window_parts import Palette, Shape, Spark, apply
from agent.window_settings import Settings

REFRESH_MS = 250
LOG_LINES = 500
ENROLLED_MS = 3_000


class Window:
    """420 x 460 pixels, five parts from top to bottom: state, live use, queue, settings, foot."""

    def __init__(self, root: tk.Tk, link: Link, palette: Palette) -> None:
        self.root, self.link = root, link
        self._palette = palette
        self._sending_from = 0
        self._aside: list[tk.Widget] = []
        self._ages = {"cpu": -1.0, "memory": -1.0}
        apply(root, palette)
        root.title("Corehour")
        root.geometry("420x460")
        root.minsize(360, 400)
        self.foot = ttk.Frame(root, padding=(16, 4, 16, 10))
        self.foot.pack(side="bottom", fill="x")  # First, so that it stays when the window is small.
        self.frame = ttk.Frame(root, padding=(16, 10, 16, 0))
        self.frame.pack(fill="both", expand=True)
        self.frame.columnconfigure(0, weight=1)
        self._build_state()
        self._build_use()
        self._build_queue()
        self.enrolling: EnrolForm | None = None
        ttk.Separator(self.frame).grid(row=3, sticky="ew", pady=6)
        self.settings = Settings(self.frame, link)
        self.settings.grid(row=4, sticky="ew")
        self._build_foot()
        self._bind_keys()
        root.protocol("WM_DELETE_WINDOW", self.close)
        root.bind("<Configure>", lambda _: self._fit(root.winfo_height()))

    def refresh(self) -> None:
        """Show the newest snapshot; what did not change is not redrawn."""
        snapshot = self.link.snapshot
        self._show_state(snapshot)
        if snapshot is not None:
            self._show_use(snapshot)
            for label, text in zip(self.queue, words.queue(snapshot), strict=True):
                _set(label, text)
            self.queue[3].configure(style="Bad.TLabel" if snapshot["trouble"] else "TLabel")
            self.settings.show(snapshot, self.link.refusal)
            _set(self.version, f"{snapshot['machine']}, agent {snapshot['version']}")
        self._show_sending(snapshot)
        self.root.title(words.title(snapshot, self.root.state() == "iconic"))
        self.root.after(REFRESH_MS, self.refresh)

    def toggle(self) -> None:
        self.link.tell(do=words.state(self.link.snapshot).verb)

    def send(self) -> None:
        snapshot = self.link.snapshot
        if snapshot and snapshot["waiting"]:
            self._sending_from = snapshot["waiting"]
            self.link.tell(do="send")

    def close(self) -> None:
        """An agent that was started here goes on; that is said once, in the window."""
        told = self.link.folder / "window-told"
        if self.link.started_here and self.link.snapshot is not None and not told.exists():
            told.touch()
            self._build_farewell()
            return
        self.root.destroy()

    def show_log(self) -> None:
        """The end of the agent's log in a window of its own."""
        top = tk.Toplevel(self.root, background=self._palette.surface)
        top.title("Corehour, log")
        text = tk.Text(top, width=100, height=24, background=self._palette.surface, foreground=self._palette.ink, wrap="word")
        text.pack(fill="both", expand=True)
        text.insert("end", self._log())
        text.configure(state="disabled")
        text.see("end")
        top.bind("<Escape>", lambda _: top.destroy())
        text.focus_set()

    def show_settings(self) -> None:
        """What is set, and who set it."""
        if self.link.snapshot is not None:
            Origins(self.root, self.link.snapshot["settings"], self._palette.surface)

    def enrol(self) -> None:
        """Put the form in the place of all but the state, or take it away again."""
        if self.enrolling is not None:
            self._put_back()
            return
        for child in self.frame.grid_slaves():
            if child is not self.state_part:
                child.grid_remove()
                self._aside.append(child)
        config = self.link.config
        self.enrolling = EnrolForm(
            self.frame, config.state_dir, plaintext=config.plaintext, address=config.server or "", done=self._enrolled
        )
        self.enrolling.grid(row=1, sticky="ew", pady=(10, 0))
        self.enrol_button.configure(text="Back")

    def _enrolled(self, machine: str) -> None:
        """The agent reads its key when it starts."""
        if machine == self.link.config.machine:
            self.link.tell(do="restart")
            self.root.after(ENROLLED_MS, self._put_back)
        elif self.enrolling is not None:
            self.enrolling.answer.configure(
                text=f"This machine is {machine} now, but {self.link.config.machine} is set here "
                f"({self.link.config.origins['machine']}): take that away, and open the window again."
            )

    def _put_back(self) -> None:
        if self.enrolling is None:
            return
        self.enrolling.destroy()
        self.enrolling = None
        for child in self._aside:
            child.grid()
        self._aside.clear()
        self.enrol_button.configure(text="Enrol…")

    def _offer_enrolment(self, offered: bool) -> None:
        if offered == bool(self.enrol_button.winfo_manager()):
            return
        if offered:
            self.enrol_button.grid()
        else:
            self.enrol_button.grid_remove()
        self._fit_sentence()

    def _fit_sentence(self) -> None:
        """The sentence has the whole line, but for the button if one is beside it."""
        beside = bool(self.enrol_button.winfo_manager())
        room = self.state_part.winfo_width() - (self.button.winfo_reqwidth() + 8 if beside else 0)
        self.sentence.grid_configure(columnspan=2 if beside else 3)
        self.sentence.configure(wraplength=room)

    def _log(self) -> str:
        try:
            lines = self.link.log_path.read_text(errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            return "This agent was not started by the window. Its log is where it was started: journalctl -u corehour-agent"
        return "\n".join(lines)

    def _fit(self, height: int) -> None:
        for spark in self.sparks.values():
            spark.configure(height=26 if height >= 440 else 14)

    def _build_state(self) -> None:
        self.state_part = part = ttk.Frame(self.frame)
        part.grid(row=0, sticky="ew")
        part.columnconfigure(1, weight=1)
        self.shape = Shape(part, self._palette)
        self.shape.grid(row=0, column=0, padx=(0, 8))
        self.word = ttk.Label(part, style="Word.TLabel")
        self.word.grid(row=0, column=1, sticky="w")
        self.button = ttk.Button(part, text="Pause", width=9, command=self.toggle)
        self.button.grid(row=0, column=2)
        self.sentence = ttk.Label(part, style="Quiet.TLabel")
        self.sentence.grid(row=1, column=0, columnspan=3, sticky="ew", pady=(1, 4))
        self.enrol_button = ttk.Button(part, text="Enrol…", width=9, command=self.enrol)
        self.enrol_button.grid(row=1, column=2)
        self.enrol_button.grid_remove()
        part.bind("<Configure>", lambda _: self._fit_sentence())

    def _build_use(self) -> None:
        part = ttk.Frame(self.frame)
        part.grid(row=1, sticky="ew")
        part.columnconfigure(1, weight=1)
        self.figures: dict[str, ttk.Label] = {}
        self.sparks: dict[str, Spark] = {}
        for row, (name, label) in enumerate((("cpu", "CPU"), ("memory", "Memory"))):
            ttk.Label(part, text=label, width=9).grid(row=2 * row, column=0, sticky="w")
            self.figures[name] = ttk.Label(part)
            self.figures[name].grid(row=2 * row, column=1, sticky="w")
            self.sparks[name] = Spark(part, self._palette, lambda age, name=name: self._ages.update({name: age}))  # type: ignore[misc]
            self.sparks[name].grid(row=2 * row + 1, column=0, columnspan=2, sticky="ew", pady=(1, 4))

    def _build_queue(self) -> None:
        part = ttk.Frame(self.frame)
        part.grid(row=2, sticky="ew")
        part.columnconfigure(1, weight=1)
        self.queue: list[ttk.Label] = []
        for row, label in enumerate(("Waiting on disk", "Last sent", "Server has", "Last error")):
            ttk.Label(part, text=label, width=16).grid(row=row, column=0, sticky="nw")
            value = ttk.Label(part)
            value.grid(row=row, column=1, sticky="new")
            self.queue.append(value)
        part.rowconfigure(3, minsize=2 * nametofont("TkDefaultFont").metrics("linespace"))  # An error's two lines move nothing.
        self.queue[3].configure(cursor="hand2")
        self.queue[3].bind("<Button-1>", lambda _: self.show_log())
        part.bind("<Configure>", lambda event: self.queue[3].configure(wraplength=max(120, event.width - 130)))

    def _build_foot(self) -> None:
        self.foot.columnconfigure(1, weight=1)
        self.send_button = ttk.Button(self.foot, text="Send now", width=-9, command=self.send)
        self.send_button.grid(row=0, column=0)
        self.version = ttk.Label(self.foot, style="Small.TLabel", anchor="e")
        self.version.grid(row=0, column=1, sticky="ew", padx=4)
        self.settings_button = ttk.Button(self.foot, text="Settings…", style="Plain.TButton", command=self.show_settings)
        self.settings_button.grid(row=0, column=2)
        log = ttk.Button(self.foot, text="Log…", style="Plain.TButton", command=self.show_log)
        log.grid(row=0, column=3)

    def _build_farewell(self) -> None:
        for child in self.foot.grid_slaves():
            child.grid_remove()
        self.farewell = ttk.Label(self.foot, text="The agent goes on without this window.")
        self.farewell.grid(row=0, column=0, columnspan=2, sticky="w")
        self.stop_button = ttk.Button(self.foot, text="Stop as well", command=self._stop_as_well)
        self.stop_button.grid(row=1, column=0, sticky="w", pady=(4, 0))
        close = ttk.Button(self.foot, text="Close", command=self.root.destroy)
        close.grid(row=1, column=1, sticky="e")
        close.focus_set()

    def _stop_as_well(self) -> None:
        self.link.tell(do="stop")
        self.root.destroy()

    def _bind_keys(self) -> None:
        self.root.bind("<space>", self._space)
        self.root.bind("<Control-Return>", lambda _: self.send())
        self.root.bind("<Control-l>", lambda _: self.show_log())
        self.root.bind("<Escape>", lambda event: self._leave() if event.widget.winfo_toplevel() == self.root else None)

    def _leave(self) -> None:
        if self.enrolling is not None:
            self._put_back()
        else:
            self.close()

    def _space(self, event: "tk.Event[Any]") -> None:
        """Pause and resume, unless the space means something to the widget that has the focus."""
        if not isinstance(event.widget, ttk.Button | ttk.Checkbutton | ttk.Entry | tk.Text):
            self.toggle()

    def _show_state(self, snapshot: dict[str, Any] | None) -> None:
        state = words.state(snapshot, self.link.error)
        self.shape.show(state.shape)
        _set(self.word, state.word)
        _set(self.sentence, state.sentence)
        _set(self.button, state.verb.capitalize())
        self._offer_enrolment(words.wants_enrolment(snapshot) or self.enrolling is not None)

    def _show_use(self, snapshot: dict[str, Any]) -> None:
        shares = words.shares(snapshot)
        self.sparks["cpu"].show([(age, cpu) for age, cpu, _ in shares])
        self.sparks["memory"].show([(age, memory) for age, _, memory in shares])
        for name, text in zip(("cpu", "memory"), words.use(snapshot), strict=True):
            _set(self.figures[name], words.at_age(snapshot, name, self._ages[name]) if self._ages[name] >= 0 else text)

    def _show_sending(self, snapshot: dict[str, Any] | None) -> None:
        waiting = snapshot["waiting"] if snapshot else 0
        if self._sending_from and waiting and snapshot and not snapshot["trouble"]:
            _set(self.send_button, words.sending_now(self._sending_from, waiting))
        else:
            self._sending_from = 0
            _set(self.send_button, "Send now")
            self.send_button.state(["!disabled" if waiting else "disabled"])


def _set(widget: ttk.Label | ttk.Button, text: str) -> None:
    if widget.cget("text") != text:
        widget.configure(text=text)
