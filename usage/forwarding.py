"""Usage that came over HTTP goes to Kafka like all other: the same topic, the same bytes, judged by the same worker."""

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from usage.broker import security
from usage.wire import RawMessage

WITHIN_S = 8.0


class BrokerAway(Exception):
    """Kafka has not taken all of it: to be sent again."""


_lock = threading.Lock()
_producer: list[KafkaProducer] = []


def forward(messages: Sequence[RawMessage]) -> int:
    """Return how many messages all in-sync replicas have: all of them. Raise BrokerAway otherwise, and all may be sent again."""
    try:
        futures = [
            _connected().send(message.topic, value=message.value, key=message.key, headers=list(message.headers))
            for message in messages
        ]
        for future in futures:
            future.get(timeout=WITHIN_S)
    except (KafkaError, OSError) as error:
        close()
        raise BrokerAway(f"Kafka does not take it now ({type(error).__name__}). Send it again later.") from error
    return len(futures)


def close() -> None:
    """Forget the producer; the next call makes another."""
    with _lock:
        while _producer:
            with contextlib.suppress(Exception):
                _producer.pop().close(timeout=0)


def _connected() -> KafkaProducer:
    with _lock:
        if not _producer:
            _producer.append(KafkaProducer(**_options()))
        return _producer[0]


def _options() -> dict[str, Any]:
    return {
        **security(),
        "client_id": "corehour-forwarding",
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "gzip",
        "bootstrap_timeout_ms": 3_000,
        "max_block_ms": 3_000,
        "request_timeout_ms": 5_000,
        "delivery_timeout_ms": 7_000,
        "metrics_enabled": False,
    }
