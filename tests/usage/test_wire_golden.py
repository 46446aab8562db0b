"""The server's half of the contract with agents: messages as they were once sent must decode for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.usage.build import DAY_MS
from usage.wire import Limits, Message, RawMessage, decode

GOLDEN = sorted((Path(__file__).parent.parent / "data" / "wire").glob("*.json"))
SAMPLE_FIELDS = ("seq", "start", "end", "cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write")


def _decode(golden: dict[str, Any]) -> Message:
    at_ms = golden["timestamp_ms"] or golden["decoded"]["samples"][-1]["end"]
    raw = RawMessage(
        topic="resource_usage",
        topic_id="t",
        partition=0,
        offset=0,
        timestamp_ms=at_ms,
        key=golden["key"].encode() or None,
        value=golden["value"].encode(),
        headers=tuple((name, value.encode()) for name, value in golden["headers"]),
    )
    return decode(raw, Limits(now_ms=at_ms, max_age_ms=35 * DAY_MS))


def _as_golden(message: Message) -> dict[str, Any]:
    """A decoded message in the golden files' words."""
    if message.version == 0:
        row = message.rows[0]
        upct = {"cpu_micro_percent": row.cpu_upct, "memory_micro_percent": row.memory_upct}
        return {"version": 0, "machine": message.machine, "at_ms": row.start_ms, **upct}
    return {
        "version": 1,
        "machine": message.machine,
        "stream": str(message.stream),
        "host": {"cores": message.cores, "memory_mib": message.memory_mib},
        "samples": [dict(zip(SAMPLE_FIELDS, row, strict=False)) for row in message.rows],
    }


def test_there_are_golden_messages_of_both_versions() -> None:
    assert {path.name[:2] for path in GOLDEN} == {"v0", "v1"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_message_decodes_as_it_always_did(path: Path) -> None:
    golden = json.loads(path.read_text())

    assert _as_golden(_decode(golden)) == golden["decoded"]
