"""The worker: stores what agents publish, exactly once, until it is told to stop."""

import logging
import math
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, OperationalError
from kafka.errors import KafkaError

from usage import metrics, partitions
from usage.broker import usage_consumer
from usage.ingest import BatchResult, TooMuchPoison
from usage.live import LivePush
from usage.monitor import Bar, Monitor, name_of
from usage.watchdog import Watchdog
from usage.worker import LossFound, Worker, spare_the_collector

log = logging.getLogger(__name__)
REPORT_EVERY_S = 30.0
DAY_MS = 86_400_000
PATIENCE_S = 30.0
CLOSE_WITHIN_MS = 5_000


class Command(BaseCommand):
    """`manage.py consume_usage`."""

    help = "Store usage from Kafka exactly once. Ctrl-C or SIGTERM finishes the batch in hand and stops."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--until-caught-up", action="store_true", help="stop at the end of the log as it is now")
        parser.add_argument("--accept-loss", action="store_true", help="go on where messages are gone, leaving an incident row")
        parser.add_argument("--instance", metavar="NAME", help="a fixed name in the group, for a restart without a pause")
        parser.add_argument("--topic", default=settings.USAGE_TOPIC)
        parser.add_argument("--max-records", type=int, default=5_000, help="the most messages in one transaction (5000)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        spare_the_collector()
        self._open_doors()
        live = LivePush()
        live.start()
        try:
            self.instance = options["instance"]
            self.patience_s = PATIENCE_S if options["until_caught_up"] else math.inf
            worker = self._worker(live, options)
            self._run(worker, until_caught_up=options["until_caught_up"])
        except (LossFound, TooMuchPoison) as error:
            raise CommandError(str(error)) from error
        finally:
            live.close()

    def _open_doors(self) -> None:
        """Metrics, and the days that samples go into. Without either the worker works."""
        if settings.METRICS_PORT:
            try:
                metrics.serve(settings.METRICS_PORT, settings.METRICS_HOST)
            except OSError as error:
                log.warning("No metrics on %s:%s (%s)", settings.METRICS_HOST, settings.METRICS_PORT, error)
        try:
            partitions.make_ahead(int(time.time() * 1000))
        except DatabaseError as error:
            log.warning("The days ahead are not made (%s); samples go into the default partition", str(error).strip())

    def _worker(self, live: LivePush, options: dict[str, Any]) -> Worker:
        return Worker(
            self._consumer(),
            options["topic"],
            max_age_ms=settings.USAGE_MAX_AGE_DAYS * DAY_MS,
            live=live,
            accept_loss=options["accept_loss"],
            max_records=max(1, options["max_records"]),
        )

    def _consumer(self) -> Any:
        """Wait for a broker as long as it takes, with a line now and then; a drain waits half a minute."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return usage_consumer(instance=self.instance)
            except KafkaError as error:
                if time.monotonic() > deadline:
                    raise CommandError(
                        f"Kafka at {settings.KAFKA_BOOTSTRAP_SERVERS} does not answer. Start it, or mend KAFKA_BOOTSTRAP_SERVERS."
                    ) from error
                log.warning("Kafka at %s does not answer (%s); trying again", settings.KAFKA_BOOTSTRAP_SERVERS, error)
                if self.stopping.wait(2.0):
                    raise CommandError("Stopped before Kafka answered.") from error

    def _run(self, worker: Worker, *, until_caught_up: bool) -> None:
        try:
            ends = worker.ends() if until_caught_up else None
            watchdog, monitor = Watchdog(worker), Monitor(name_of(self.instance))
            with Bar(worker, ends) as bar:
                while not self.stopping.is_set():
                    monitor.look(worker, self._step(worker))
                    bar.move()
                    if found := watchdog.stuck():
                        self._renew(worker, found)
                    if ends is not None and _caught_up(worker, ends):
                        break
            monitor.close()
        finally:
            worker.close()
            self.stdout.write(_summary(worker.total))

    def _step(self, worker: Worker) -> BatchResult:
        try:
            result = worker.step(timeout_s=0.5)
        except KafkaError as error:
            log.warning("Kafka does not answer (%s: %s); trying again", type(error).__name__, error)
            self.stopping.wait(1.0)
            return BatchResult()
        self._report(worker, result)
        return result

    def _renew(self, worker: Worker, found: str) -> None:
        """The old consumer gets a moment to leave the group; the database keeps its partitions' positions anyway."""
        log.error("%s: making the consumer anew", found)
        try:
            worker.consumer.close(autocommit=False, timeout_ms=CLOSE_WITHIN_MS)
        except KafkaError as error:
            log.warning("The old consumer did not close (%s)", error)
        worker.renew(self._consumer())

    def _report(self, worker: Worker, result: BatchResult) -> None:
        """A line when messages were refused, and now and then while there is work."""
        if result.rejected:
            log.warning("%d messages were rejected; the desk in the admin says why", result.rejected)
        now = time.monotonic()
        if (result.stored or result.duplicate) and now - getattr(self, "reported_at", 0.0) >= REPORT_EVERY_S:
            self.reported_at = now
            log.info("So far: %s", _summary(worker.total))


def _caught_up(worker: Worker, ends: dict[int, int]) -> bool:
    try:
        return worker.caught_up(ends)
    except (OperationalError, InterfaceError):
        return False


def _summary(total: BatchResult) -> str:
    return (
        f"{total.stored} messages stored, {total.duplicate} duplicate, {total.rejected} rejected; "
        f"{total.samples_stored} samples stored, {total.samples_duplicate} duplicate"
    )
