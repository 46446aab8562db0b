"""How the server's processes reach Kafka: one place for the settings that exactly-once depends on."""

import contextlib
from typing import Any

from django.conf import settings
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient

from usage.records import read_quickly


def security() -> dict[str, Any]:
    """The connection settings that every client needs, for kafka-python."""
    return {"bootstrap_servers": settings.KAFKA_BOOTSTRAP_SERVERS.split(","), **settings.KAFKA_SECURITY}


def usage_consumer(*, instance: str | None = None, **overrides: Any) -> KafkaConsumer:
    """Return a member of the usage group that never commits, resets or skips by itself.

    With `instance` it is a static member: restarted under the same name it takes its partitions back at once.
    Raise kafka.errors.KafkaError where no broker answers.
    """
    options: dict[str, Any] = {
        "group_id": settings.KAFKA_GROUP,
        "client_id": "corehour-usage",
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "max_poll_records": 20_000,
        # What trickles in within a tenth of a second is stored in one transaction, or a few messages at a time would keep a core
        # and the database busy; a backlog never waits.
        "fetch_max_wait_ms": 100,
        "fetch_min_bytes": 64 * 1024,
        "max_partition_fetch_bytes": 4 * 1024 * 1024,
        "session_timeout_ms": settings.KAFKA_SESSION_TIMEOUT_MS,
        "heartbeat_interval_ms": settings.KAFKA_SESSION_TIMEOUT_MS // 4,
        "fetch_max_bytes": 8 * 1024 * 1024,  # What is fetched ahead is kept in memory, whatever the number of partitions.
        "reconnect_backoff_max_ms": 3_000,
        "metadata_max_age_ms": 30_000,  # Within which added partitions are noticed.
        "group_instance_id": instance,
    }
    return read_quickly(KafkaConsumer(**security(), **(options | overrides)))


def answers(within_ms: int = 2_000) -> None:
    """Return where a broker answers. Raise kafka.errors.KafkaError where none does in time."""
    with contextlib.closing(KafkaAdminClient(**security(), bootstrap_timeout_ms=within_ms)) as client:
        client.describe_cluster()
