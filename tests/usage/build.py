"""Messages as agents send them, made by hand: the wire format's own words, no code of the agent."""

import json
import uuid
from typing import Any

from accounts.models import Customer
from usage.models import IngestOffset, Machine
from usage.wire import Limits, RawMessage

NOW_MS = 1_796_052_600_000  # 2026-11-30 15:30 UTC, a quarter hour
DAY_MS = 86_400_000
LIMITS = Limits(now_ms=NOW_MS, max_age_ms=35 * DAY_MS)
STREAM = uuid.UUID("0192f1e4-0000-7000-8000-000000000001")
OTHER_STREAM = uuid.UUID("0192f1e4-0000-7000-8000-000000000002")
V1_HEADERS = (("ce_specversion", b"1.0"), ("ce_type", b"corehour.usage.v1"))
TOPIC_ID = "6a0e0d2c-0000-4000-8000-00000000000a"


def sample(seq: int = 0, /, **changes: Any) -> dict[str, Any]:
    """Ten seconds of one of eight cores and 1 GiB; sample `seq` follows sample `seq - 1` without a gap."""
    start = NOW_MS - 3_600_000 + seq * 10_000
    return {
        "seq": seq,
        "start": start,
        "end": start + 10_000,
        "cpu_ms": 10_000,
        "memory_mib_ms": 10_240_000,
        "disk_mib_ms": 20_480_000,
        "net_rx": 1_000,
        "net_tx": 2_000,
        "disk_read": 300,
        "disk_write": 400,
    } | changes


def body(*samples: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A message of web-1 with these samples, or one sample."""
    host = {"cores": 8, "memory_mib": 32_768}
    return {"machine": "web-1", "stream": str(STREAM), "host": host, "samples": list(samples) or [sample()]} | changes


def raw(content: Any, *, offset: int = 0, key: bytes | None = b"web-1", partition: int = 0, **changes: Any) -> RawMessage:
    """The message as Kafka delivers it; `content` is bytes as they are, or an object to write as JSON."""
    value = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = (("ce_specversion", b"1.0"), ("ce_source", b"/machines/web-1"), ("ce_type", b"corehour.usage.v1"))
    fields: dict[str, Any] = {
        "topic": "resource_usage",
        "topic_id": TOPIC_ID,
        "partition": partition,
        "offset": offset,
        "timestamp_ms": NOW_MS,
        "key": key,
        "value": value,
        "headers": headers,
    }
    return RawMessage(**(fields | changes))


def paper(content: Any, *, offset: int = 0, **changes: Any) -> RawMessage:
    """A bare message as the paper's producer sends it: no key, no headers."""
    return raw(content, offset=offset, **({"key": None, "headers": ()} | changes))


def machine(code: str = "web-1", *, customer: str = "acme", **fields: Any) -> Machine:
    """A machine of a customer, both made where they are missing."""
    owner, _ = Customer.objects.get_or_create(code=customer, defaults={"name": customer.title(), "currency": "USD"})
    return Machine.objects.get_or_create(code=code, defaults={"customer": owner, **fields})[0]


def offset_row(partition: int = 0, next_offset: int = 0) -> IngestOffset:
    """The books of a partition that stand at an offset, as if everything before had never been."""
    return IngestOffset.objects.create(
        topic="resource_usage",
        partition=partition,
        cluster_id="c1",
        topic_id=TOPIC_ID,
        first_offset=next_offset,
        next_offset=next_offset,
    )
