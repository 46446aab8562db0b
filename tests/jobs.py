"""What the children of a nursery do: the product's own commands, with a trap in them where a test wants one."""

import importlib
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


def migrate(machines: list[str]) -> None:
    """Make a database ready, with these machines."""
    from tests.usage.build import machine

    call_command("migrate", verbosity=0)
    for code in machines:
        machine(code)


def consume(options: list[str], *, group: str, trap: str = "", at: int = 0, generations: str = "") -> None:
    """Run consume_usage in this group, with one of TRAPS set.

    `generations` is a file to which each generation of the group that it joined is added.
    """
    settings.KAFKA_GROUP = group
    if generations:
        _note_generations(Path(generations))
    if trap:
        TRAPS[trap](at)
    call_command("consume_usage", *options)


def store_batch(*, kill_at: int) -> None:
    """Store one batch that holds some of everything, and die at the kill_at-th step in the database.

    A step is a statement about to run, or a commit about to be made or just made.
    """
    from tests.usage.build import LIMITS, TOPIC_ID
    from tests.usage.faults.batch import records
    from usage.ingest import store
    from usage.offsets import Position

    done = [0]

    def step() -> None:
        done[0] += 1
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
    store(Position("resource_usage", TOPIC_ID, 0, 0), records(), LIMITS)


def _note_generations(path: Path) -> None:
    from usage.worker import Worker

    real = Worker._reopen

    def reopen(self: Worker) -> None:
        with path.open("a") as notes:
            notes.write(f"{self.consumer._coordinator._generation.generation_id}\n")
        real(self)

    Worker._reopen = reopen  # type: ignore[method-assign]


def _die_after_commit(at: int) -> None:
    """Between the database's commit and Kafka's."""
    from usage.worker import Worker

    real, done = Worker._after_commit, [0]

    def after_commit(*arguments: Any) -> None:
        done[0] += 1
        if done[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*arguments)

    Worker._after_commit = after_commit  # type: ignore[method-assign, assignment]


def _stop_before_store(at: int) -> None:
    """With a batch in hand that is fetched and not yet written."""
    worker: Any = importlib.import_module("usage.worker")
    real, done = worker.store, [0]

    def store(*arguments: Any, **options: Any) -> Any:
        done[0] += 1
        if done[0] == at:
            os.kill(os.getpid(), signal.SIGSTOP)
        return real(*arguments, **options)

    worker.store = store


def _stop_before_the_offset_moves(at: int) -> None:
    """In the middle of a transaction, all rows written, all locks held."""
    ingest: Any = importlib.import_module("usage.ingest")
    real, done = ingest._move_offset, [0]

    def move_offset(*arguments: Any) -> None:
        done[0] += 1
        if done[0] == at:
            os.kill(os.getpid(), signal.SIGSTOP)
        real(*arguments)

    ingest._move_offset = move_offset


def _go_deaf(at: int) -> None:
    """A client that lost its way: it joins, beats its heart and polls, and after so many messages nothing comes."""
    from kafka import KafkaConsumer

    from usage import watchdog

    watchdog.PATIENCE_S = 1.0
    deaf: list[KafkaConsumer] = []
    real, heard = KafkaConsumer.poll, [0]

    def poll(self: KafkaConsumer, *arguments: Any, **options: Any) -> Any:
        if not deaf and heard[0] >= at:
            deaf.append(self)
        if self in deaf:
            self.pause(*self.assignment())
        found = real(self, *arguments, **options)
        heard[0] += sum(map(len, found.values()))
        return found

    KafkaConsumer.poll = poll


TRAPS: dict[str, Callable[[int], None]] = {
    "die after commit": _die_after_commit,
    "stop before store": _stop_before_store,
    "stop before the offset moves": _stop_before_the_offset_moves,
    "go deaf": _go_deaf,
}
