"""One line for each step of a start or a check, with how long it took."""

import contextlib
import time
from collections.abc import Iterator

WIDTH = 58


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Print the step, then how it ended. The error goes on to the caller."""
    say(f"  {text} ".ljust(WIDTH, ".") + " ", end="")
    started = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"failed after {time.monotonic() - started:.1f} s")
        raise
    say(f"ok {time.monotonic() - started:6.1f} s")


def say(text: str, end: str = "\n") -> None:
    """Print at once. A reader who has gone away must not keep us from stopping what we started."""
    with contextlib.suppress(OSError):
        print(text, end=end, flush=True)
