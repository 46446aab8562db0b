"""Control of a running agent: a socket in its state folder that only its own user can open, one line of JSON each way."""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.keys import KeyProblem
from agent.modes import Mode
from agent.server import ServerProblem
from agent.service import Service

MOST_BYTES = 1_000_000
TIMEOUT_S = 3.0
LONGEST_PATH = 100  # The kernel's limit for such a socket is 107 bytes.

log = logging.getLogger("agent")


class NotRunning(Exception):
    """No agent answers on the socket."""


class ControlError(Exception):
    """The agent answered that it cannot do this; the text says why."""


def socket_path(folder: Path) -> Path:
    return folder / "agent.sock"


class Server:
    """Answers in a thread of its own, one question at a time."""

    def __init__(self, service: Service, stop: Callable[[], None]) -> None:
        self.service = service
        self._stop = stop
        self.path = socket_path(service.config.spool_path.parent)
        self._socket: socket.socket | None = None

    def start(self) -> None:
        if problem := too_long(self.path):
            log.warning(problem)
            return
        self.path.unlink(missing_ok=True)  # Left by an agent that was killed; the lock says that none is running.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(self.path))
        finally:
            os.umask(before)
        self._socket.listen(8)
        threading.Thread(target=self._serve, args=(self._socket,), name="control", daemon=True).start()

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self.path.unlink(missing_ok=True)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # Closed: the agent is stopping.
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(TIMEOUT_S)
            answer = self._answer(_receive(connection))
            connection.sendall(json.dumps(answer).encode() + b"\n")
        except OSError as error:
            log.debug("control: %s", error)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": self.handle(json.loads(line))}
        except RecursionError:
            return {"error": "this is nested too deeply"}
        except (ValueError, TypeError, KeyError, KeyProblem, ServerProblem) as error:
            return {"error": str(error)}
        except Exception as error:
            log.exception("control: %s failed", line[:100])
            return {"error": f"{type(error).__name__}: {error}"}

    def handle(self, question: dict[str, Any]) -> Any:
        """Do what is asked. Raise ValueError with the reason if it cannot be done."""
        match question:
            case {"do": "status"}:
                return self.service.snapshot()
            case {"do": "pause" | "resume" as verb}:
                self.service.pause(verb == "pause")
            case {"do": "send"}:
                return self.service.send_now()
            case {"do": "mode", "mode": dict(changes)}:
                self.service.set_mode(_changed(self.service.gate.mode, changes))
                return _chosen(self.service.gate.mode)
            case {"do": "new-key"}:
                return {"key": self.service.new_key()}
            case {"do": "stop"}:
                self._stop()
            case _:
                raise ValueError("what to do? status, pause, resume, send, mode, new-key or stop")
        return {"mode": self.service.gate.mode.words()}


def _chosen(mode: Mode) -> dict[str, str]:
    """The answer to a change of mode; while sending is paused also what was chosen for later."""
    later = {"when_resumed": replace(mode, paused=False).words()} if mode.paused else {}
    return {"mode": mode.words(), **later}


def _changed(mode: Mode, changes: dict[str, Any]) -> Mode:
    kinds = {name: type(getattr(mode, name)) for name in Mode.__slots__}
    for name, value in changes.items():
        if name not in kinds or type(value) is not kinds[name]:
            raise ValueError(f"mode: {name} = {value!r} is not understood")
    return replace(mode, **changes)


def too_long(path: Path) -> str | None:
    """What to say where a path cannot be a socket's; None where it can."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return None
    return (
        f"{path} is longer than the {LONGEST_PATH} bytes that a socket's path may have: no command reaches an agent there, "
        "though it measures and sends. Give a shorter --state-dir"
    )


def ask(folder: Path, question: dict[str, Any]) -> Any:
    """Put one question to the agent that works in this folder. Raise NotRunning or ControlError."""
    if problem := too_long(socket_path(folder)):
        raise ControlError(problem)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(str(socket_path(folder)))
            connection.sendall(json.dumps(question).encode() + b"\n")
            line = _receive(connection)
        except PermissionError as error:
            raise ControlError(f"the agent in {folder} is another user's: run this as that user, or as root") from error
        except TimeoutError as error:
            raise ControlError(f"the agent in {folder} does not answer within {TIMEOUT_S:.0f} s; try again") from error
        except OSError as error:
            raise NotRunning(
                f"no agent is running in {folder} ({error.strerror or error}). Start it: python -m agent run"
            ) from error
    try:
        answer = json.loads(line or b'{"error": "no answer"}')
    except (ValueError, RecursionError):
        raise ControlError(f"what answers on {socket_path(folder)} is no agent of this version") from None
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer["ok"]


def _receive(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < MOST_BYTES:
        part = connection.recv(65_536)
        if not part:
            break
        data += part
    return data
