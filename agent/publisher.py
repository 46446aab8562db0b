"""Fourth step: messages to Kafka. Says which the broker has acknowledged, and never raises for trouble on the broker's side."""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.oauth import Tokens, provider
from agent.wire import Message

if TYPE_CHECKING:  # kafka costs 18 MB and 0.3 s: not before there is something to send.
    from kafka import KafkaProducer

CONNECT_MS = 5_000
REQUEST_MS = 8_000
DELIVERY_MS = 12_000
SLOW_S = 4.0
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how to log in, as librdkafka names these things."""

    bootstrap: str
    topic: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    tokens: Tokens | None = None

    def options(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
            "ssl_cafile": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
            **({"sasl_oauth_token_provider": provider(self.tokens)} if self.tokens else {}),
        }


def as_they_are(topic: str, message: Message) -> Message:
    """Unsigned."""
    return message


class Publisher:
    """A producer that is made when needed and thrown away after a failure. `dress` signs each message as it goes out.

    Sending again after a failure can put a message on the topic twice. That is harmless: its samples have an identity.
    """

    def __init__(
        self,
        broker: Broker,
        dress: Callable[[str, Message], Message] = as_they_are,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.broker = broker
        self.dress = dress
        self._trouble: str | None = None
        self._asked_at: float | None = None
        self._given_up = threading.Event()
        self._monotonic = monotonic
        self._producer: KafkaProducer | None = None
        self._failures = 0
        self._next_try = 0.0

    @property
    def trouble(self) -> str | None:
        """Why nothing gets through; None while it does. An answer that is long in coming is trouble already."""
        asked_at = self._asked_at
        if self._trouble is None and asked_at is not None and self._monotonic() - asked_at > SLOW_S:
            return f"no answer from the broker at {self.broker.bootstrap}"
        return self._trouble

    def give_up(self) -> None:
        """End a `publish` that is waiting in another thread, for a process that has to leave."""
        self._given_up.set()

    def wait_s(self) -> float:
        """Seconds until the next try; 0 when it may try now."""
        return max(0.0, self._next_try - self._monotonic())

    def publish(self, messages: Sequence[Message]) -> list[bool]:
        """True for each message that all in-sync replicas have. Takes at most about DELIVERY_MS."""
        if not messages or self.wait_s() > 0:
            return [False] * len(messages)
        self._asked_at = self._monotonic()
        try:
            return self._publish(messages)
        finally:
            self._asked_at = None

    def close(self, timeout_s: float = 2.0) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=timeout_s)
        except Exception:  # It could not flush and has not closed itself. What it holds is on disk and not acknowledged.
            threading.Thread(target=_close_when_expired, args=(producer,), daemon=True).start()

    def _publish(self, messages: Sequence[Message]) -> list[bool]:
        try:
            futures = [self._send(self._connected(), self.dress(self.broker.topic, message)) for message in messages]
        except Exception as error:  # kafka-python raises its own, OSError and ValueError alike
            self._failed(self._without_topic() if self._producer and _is_timeout(error) else explain(error, self.broker))
            return [False] * len(messages)
        return self._outcomes(futures)

    def _outcomes(self, futures: Sequence[Any]) -> list[bool]:
        deadline = self._monotonic() + DELIVERY_MS / 1000 + 1
        for future in futures:
            self._await(future, deadline)
        failures = [future.exception for future in futures if not future.succeeded()]
        if not failures:
            self._failures, self._next_try, self._trouble = 0, 0.0, None
        elif not self._given_up.is_set():
            self._failed(explain(failures[0] or TimeoutError(), self.broker))
        return [future.succeeded() for future in futures]

    def _await(self, future: Any, deadline: float) -> None:
        while not (future.is_done or self._given_up.is_set() or self._monotonic() > deadline):
            with contextlib.suppress(Exception):  # Not yet, or never: is_done tells which, and its exception why.
                future.get(timeout=0.25)

    def _send(self, producer: "KafkaProducer", message: Message) -> Any:
        return producer.send(
            self.broker.topic,
            value=message.value,
            key=message.key,
            headers=list(message.headers),
            timestamp_ms=message.timestamp_ms,
        )

    def _connected(self) -> "KafkaProducer":
        if self._producer is None:
            self._producer = _producer(self.broker)
        return self._producer

    def _without_topic(self) -> str:
        # A connected producer's send waits for nothing but to learn where the topic's partitions are.
        return f"topic {self.broker.topic} is not on {self.broker.bootstrap}: create it or check USAGE_TOPIC"

    def _failed(self, trouble: str) -> None:
        self._trouble = trouble
        self.close(timeout_s=0)
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 10))
        self._next_try = self._monotonic() + wait * random.uniform(0.8, 1.0)  # noqa: S311 - so that a fleet does not come back as one
        self._failures += 1


def _producer(broker: Broker) -> "KafkaProducer":
    from kafka import KafkaProducer

    return KafkaProducer(
        **broker.options(),
        client_id="corehour-agent",
        acks="all",
        enable_idempotence=True,
        compression_type="gzip",
        batch_size=256 * 1024,
        bootstrap_timeout_ms=CONNECT_MS,
        max_block_ms=CONNECT_MS,
        request_timeout_ms=REQUEST_MS,
        delivery_timeout_ms=DELIVERY_MS,
        reconnect_backoff_max_ms=1_000,
        metrics_enabled=False,
    )


def _close_when_expired(producer: "KafkaProducer") -> None:
    try:
        producer.close(timeout=2 * DELIVERY_MS / 1000)
    except Exception as error:
        logging.getLogger("agent").debug("closing the producer: %s", error)


def _is_timeout(error: Exception) -> bool:
    from kafka.errors import KafkaTimeoutError

    return isinstance(error, KafkaTimeoutError)


def explain(error: Exception, broker: Broker) -> str:
    """What is wrong, in a sentence that says where to look."""
    from kafka import errors

    if broker.tokens and broker.tokens.problem:
        return str(broker.tokens.problem)
    if isinstance(error, errors.SaslAuthenticationFailedError):
        return (
            f"{broker.bootstrap} refused the log-in of {broker.sasl_username}: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
        )
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return f"this log-in may not write to topic {broker.topic}"
    if isinstance(error, errors.KafkaConnectionError | errors.KafkaTimeoutError | TimeoutError):
        # Over TLS a broker closes the connection of a refused log-in, and the client cannot tell it from one that is away.
        login = f", or it refused the log-in of {broker.sasl_username}" if broker.security_protocol.startswith("SASL") else ""
        return f"no answer from the broker at {broker.bootstrap}{login}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
