"""What the children of a nursery do: the product's own command, with a trap in it where a test wants one."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection


def load() -> None:
    """Import, once and for all children, what they need."""
    import usage.management.commands.consume_usage  # noqa: F401


def consume(options: list[str], *, group: str, kill_at: int | None = None, count: str = "", generations: str = "") -> None:
    """Run consume_usage in this group. It kills itself at its kill_at-th step in the database; `count` is where it notes them.

    `generations` is a file to which each generation of the group that it joined is added.
    """
    settings.KAFKA_GROUP = group
    if generations:
        _note_generations(Path(generations))
    if kill_at is not None or count:
        _trap(kill_at, Path(count) if count else None)
    call_command("consume_usage", *options)


def _trap(kill_at: int | None, count: Path | None) -> None:
    """A step is a statement about to run, or a commit about to be made or just made."""
    done = [0]

    def step() -> None:
        done[0] += 1
        if count is not None:
            count.write_text(str(done[0]))
        if done[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapper(execute: Callable[..., Any], *arguments: Any) -> Any:
        step()
        return execute(*arguments)

    commit = connection.commit

    def committed() -> None:
        step()
        commit()
        step()

    connection.execute_wrappers.append(wrapper)
    connection.commit = committed  # type: ignore[method-assign]


def _note_generations(path: Path) -> None:
    from usage.worker import Worker

    real = Worker._reopen

    def reopen(self: Worker) -> None:
        with path.open("a") as notes:
            notes.write(f"{self.consumer._coordinator._generation.generation_id}\n")
        real(self)

    Worker._reopen = reopen  # type: ignore[method-assign]
