"""Runs one command and sees that nothing of it outlives whoever asked for it: `python -I guard.py COMMAND ...`.

The parent keeps the other end of standard input. When it closes, even because the parent was killed, the command is
asked to stop, then killed with all it started. Started by path, so that it costs no import of Django or Celery.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType
from typing import IO

GRACE_S = 10.0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def guarded(
    command: list[str], *, output: IO[bytes] | int | None = None, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start the command under a guard of its own. Close the result's stdin, or terminate() it, to stop the command."""
    return subprocess.Popen(  # noqa: S603  The command is ours, never a visitor's.
        [sys.executable, "-I", __file__, *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=env,
        start_new_session=True,  # Ctrl-C in the terminal reaches the parent alone, which stops its parts in order.
    )


def main(command: list[str]) -> int:
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_the_guard)  # noqa: S603

    def stop(_signal: int = 0, _frame: FrameType | None = None) -> None:
        _signal_to(child, signal.SIGTERM)
        last_word = threading.Timer(GRACE_S, _signal_to, (child, signal.SIGKILL))
        last_word.daemon = True
        last_word.start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=_wait_for_the_parent, daemon=True).start()
    code = child.wait()
    _kill_what_is_left()
    return code if code >= 0 else 128 - code


def _wait_for_the_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # In the main thread, like every other stop.


def _signal_to(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.returncode is None:
        try:
            os.kill(child.pid, number)
        except ProcessLookupError:
            pass


def _kill_what_is_left() -> None:
    """A subreaper inherits every orphan below it, so its descendants are all that the command ever left behind."""
    import psutil  # Only here: most runs leave nothing, and the broker should not wait for an import.

    for left in psutil.Process().children(recursive=True):
        try:
            left.kill()
        except psutil.NoSuchProcess:
            pass


def _die_with_the_guard() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the closing of standard input has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
