"""Beside the worker's loop: its sign of life in the database, its lag, and what Prometheus and a person at a terminal see.

Nothing here may stop or slow the worker: what fails is left out until the next time.
"""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db import DatabaseError
from django.utils.timezone import now
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from usage import metrics
from usage.ingest import BatchResult
from usage.models import IngestOffset, WorkerBeat
from usage.worker import Worker

log = logging.getLogger(__name__)
EVERY_S = 5.0
FORGET_AFTER = timedelta(hours=1)


def name_of(instance: str | None) -> str:
    """Return the name under which a worker beats: the one it was given, or its host and process."""
    return (instance or f"{socket.gethostname()}-{os.getpid()}")[:200]


class Monitor:
    """Call `look` after every step, and `close` at the end."""

    def __init__(self, name: str, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.every_s = every_s
        self.clock = clock
        self.started_at = now()
        self._due = 0.0

    def look(self, worker: Worker, result: BatchResult) -> None:
        """Count a step's result; every few seconds note lag and life."""
        count(result)
        if self.clock() < self._due or worker.away:
            return
        self._due = self.clock() + self.every_s
        self._beat(worker, lag_of(worker))

    def close(self) -> None:
        """Leave no beat behind: whoever stops in order is not missed."""
        try:
            WorkerBeat.objects.filter(name=self.name).delete()
        except DatabaseError as error:
            log.debug("The sign of life stays: %s", error)

    def _beat(self, worker: Worker, lag: Mapping[str, int]) -> None:
        for partition, messages in lag.items():
            metrics.LAG.labels(worker.topic, partition).set(messages)
        total = worker.total
        fields = {
            "started_at": self.started_at,
            "beat_at": now(),
            "messages": total.stored + total.duplicate + total.rejected,
            "samples": total.samples_stored,
            "rejected": total.rejected,
            "fenced": worker.fenced,
            "lag": lag,
        }
        try:
            WorkerBeat.objects.using(worker.using).update_or_create(name=self.name, defaults=fields)
            old = WorkerBeat.objects.using(worker.using).filter(beat_at__lt=now() - FORGET_AFTER)
            old.delete()
        except DatabaseError as error:
            log.debug("No sign of life: %s", error)


def count(result: BatchResult) -> None:
    """Add a step's result to the counters that Prometheus reads."""
    for state in ("stored", "duplicate", "rejected", "skipped"):
        if messages := getattr(result, state):
            metrics.MESSAGES.labels(state).inc(messages)
    metrics.SAMPLES.labels("stored").inc(result.samples_stored)
    metrics.SAMPLES.labels("duplicate").inc(result.samples_duplicate)
    for reason, messages in result.reasons.items():
        metrics.REJECTED.labels(reason).inc(messages)


def lag_of(worker: Worker) -> dict[str, int]:
    """Return how many messages of each owned partition are not stored, as far as the last fetch told."""
    lag = {}
    for tp, row in worker.positions.items():
        try:
            end = worker.consumer.highwater(tp)
        except (KafkaError, AttributeError):  # Not assigned any more.
            continue
        if end is not None:
            lag[str(tp.partition)] = max(0, end - row.next_offset)
    return lag


class Bar:
    """A progress bar for whoever drains by hand at a terminal; elsewhere it shows nothing."""

    def __init__(self, worker: Worker, ends: Mapping[int, int] | None) -> None:
        self.worker = worker
        self.ends = ends or {}
        shown = bool(self.ends) and sys.stderr.isatty()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=Console(stderr=True)) if shown else None
        if self.progress is not None:
            self.before = self._stored()
            self.task = self.progress.add_task("Messages", total=max(0, sum(self.ends.values()) - self.before))

    def move(self) -> None:
        """Show how far the database is."""
        if self.progress is not None:
            self.progress.update(self.task, completed=self._stored() - self.before)

    def __enter__(self) -> "Bar":
        if self.progress is not None:
            self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the last state on the screen, and the cursor as it was."""
        if self.progress is not None:
            self.progress.stop()

    def _stored(self) -> int:
        """Sum where the partitions stand; one that nobody opened stands at its log's end or its beginning: at 0."""
        try:
            rows = IngestOffset.objects.using(self.worker.using).filter(topic=self.worker.topic)
            found = dict(rows.values_list("partition", "next_offset"))
        except DatabaseError:
            return getattr(self, "before", 0)
        return sum(min(found.get(partition, 0), end) for partition, end in self.ends.items())
