"""Between window and agent: a thread asks the socket, so that the window never waits for anything."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent import control, private
from agent.config import Config

POLL_S = 0.25
START_WITHIN_S = 10.0
SERVICE_RESTARTS_WITHIN_S = 7.0  # RestartSec of the unit, and two to spare.


class Link:
    """The window reads `snapshot` and `error` and calls `tell`; nothing here touches a widget."""

    def __init__(self, config: Config, arguments: Sequence[str]) -> None:
        self.config = config
        self.folder = config.folder
        self.snapshot: dict[str, Any] | None = None
        self.error: str | None = None
        self.refusal: str | None = None
        self.started_here = False
        self._arguments = arguments
        self._questions: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    @property
    def log_path(self) -> Path:
        return self.folder / "agent.log"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Deliver what was asked for, then end. A second at most."""
        self._questions.put(None)
        self._thread.join(1)

    def tell(self, **question: Any) -> None:
        """Have the agent do something. Its refusal, if any, is in `refusal` a moment later."""
        self._questions.put(question)

    def start_agent(self) -> None:
        """An agent of its own, which goes on when the window is closed."""
        private.folder(self.folder)
        private.touch(self.log_path)
        with self.log_path.open("ab") as log:
            subprocess.Popen(  # noqa: S603 - our own program with our own flags
                [sys.executable, "-m", "agent", "run", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started_here = True

    def _run(self) -> None:
        self._look()
        if self.snapshot is None:
            self._put_to_work()
        while True:
            try:
                question = self._questions.get(timeout=POLL_S)
            except queue.Empty:
                self._look()
                continue
            if question is None:
                return
            self._ask(question)
            self._look()

    def _ask(self, question: dict[str, Any]) -> None:
        if question == {"do": "start"}:
            self._put_to_work()
            return
        if question == {"do": "restart"}:
            self._restart()
            return
        try:
            control.ask(self.folder, question)
            self.refusal = None
        except (control.NotRunning, control.ControlError) as error:
            self.refusal = str(error)

    def _restart(self) -> None:
        """Stop the agent. Start it again, unless whoever minds it as a service does so first."""
        stopped_at = time.monotonic()
        try:
            control.ask(self.folder, {"do": "stop"})
            while time.monotonic() - stopped_at < START_WITHIN_S:
                control.ask(self.folder, {"do": "status"})
                time.sleep(POLL_S)
        except (control.NotRunning, control.ControlError):
            pass
        minded_until = time.monotonic() + (0 if self.started_here else SERVICE_RESTARTS_WITHIN_S)
        self._look()
        while self.snapshot is None and time.monotonic() < minded_until:
            time.sleep(POLL_S)
            self._look()
        if self.snapshot is None:
            self._put_to_work()

    def _put_to_work(self) -> None:
        try:
            self.start_agent()
        except (OSError, private.FolderProblem) as error:
            self.error = f"cannot start an agent: {error}"

    def _look(self) -> None:
        try:
            self.snapshot = control.ask(self.folder, {"do": "status"})
            self.error = None
        except (control.NotRunning, control.ControlError, ValueError) as error:
            self.snapshot = None
            self.error = self._last_words() or str(error)

    def _last_words(self) -> str | None:
        """Why an agent that was started here is not there: the last line it logged."""
        if not self.started_here or not self.log_path.exists():
            return None
        lines = self.log_path.read_text(errors="replace").split("\n")[-3:]
        said = [line.removeprefix("agent: ") for line in lines if line.startswith("agent: ")]
        return said[-1] if said else None
