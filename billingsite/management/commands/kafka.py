"""`manage.py kafka`: the embedded broker in the foreground, for development and the demo."""

import signal
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billingsite import environment as env
from billingsite import kafka_jars
from billingsite.broker import DEFAULT_PORT, BrokerError, EmbeddedKafka, ensure_topic


class Command(BaseCommand):
    help = "Run a real Apache Kafka on this machine until Ctrl-C. Messages are kept across restarts."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--brokers", type=int, choices=[1, 3], default=1, help="how many brokers (default 1)")
        parser.add_argument("--reset", action="store_true", help="first forget every message ever sent")

    def handle(self, *args: Any, brokers: int, reset: bool, **options: Any) -> None:
        port = env.whole("COREHOUR_KAFKA_PORT", DEFAULT_PORT, low=1, high=65_533)
        broker = EmbeddedKafka(settings.DATA_DIR / "kafka", brokers=brokers, port=port)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        try:
            if reset:
                broker.wipe()
                self._say(f"Emptied {broker.folder}")
            self._run(broker)
        except BrokerError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._say("Stopping")
        finally:
            broker.stop()
        self._say("Stopped, messages kept")

    def _run(self, broker: EmbeddedKafka) -> None:
        if not kafka_jars.are_here():
            self._say(f"Fetching Apache Kafka {kafka_jars.KAFKA_VERSION} (once, 10 to 20 s)")
        self._say(f"Starting Kafka {kafka_jars.KAFKA_VERSION} in {broker.folder}")
        started = time.monotonic()
        broker.start()
        made = ensure_topic(broker.bootstrap, settings.USAGE_TOPIC)
        self._say(f"Topic {settings.USAGE_TOPIC} {'made' if made else 'is there'}")
        took = time.monotonic() - started
        self._say(f"Ready after {took:.1f} s at {broker.bootstrap}, logs in {broker.nodes[0].log}. Ctrl-C stops it.")
        while not (fallen := broker.fallen()):
            time.sleep(0.5)
        raise BrokerError(f"Broker {fallen.id} stopped by itself. See {fallen.log}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _stop(_number: int, _frame: FrameType | None) -> None:
    """The first signal stops the brokers; a second one must not interrupt that."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
