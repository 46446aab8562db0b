"""What the golden files say is what the server reads: the one place where both sides of the wire format meet."""

import json
from pathlib import Path
from typing import Any

import pytest

from usage.wire import Limits, Message, RawMessage, decode

GOLDEN = sorted((Path(__file__).parent / "data" / "wire").glob("*.json"))
LIMITS = Limits(now_ms=1_764_029_000_000, max_age_ms=35 * 86_400_000)


def read_by_server(file: dict[str, Any]) -> Message:
    headers = tuple((name, value.encode()) for name, value in file["headers"])
    at_ms = file["timestamp_ms"] or LIMITS.now_ms
    return decode(
        RawMessage("usage", "topic-id", 0, 5, at_ms, file["key"].encode() or None, file["value"].encode(), headers), LIMITS
    )


def meaning(message: Message) -> dict[str, Any]:
    """A message in the words of the golden files."""
    if message.version == 0:
        (row,) = message.rows
        reading = {"cpu_micro_percent": row.cpu_upct, "memory_micro_percent": row.memory_upct, "at_ms": row.end_ms}
        return {"version": 0, "machine": message.machine, **reading}
    names = ("seq", "start", "end", "cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write")
    return {
        "version": message.version,
        "machine": message.machine,
        "stream": str(message.stream),
        "host": {"cores": message.cores, "memory_mib": message.memory_mib},
        "samples": [dict(zip(names, row, strict=False)) for row in message.rows],
    }


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_server_reads_what_the_agent_means(path: Path) -> None:
    file = json.loads(path.read_text())

    assert meaning(read_by_server(file)) == file["decoded"]


def test_there_are_golden_files_of_both_versions() -> None:
    assert {path.stem[:2] for path in GOLDEN} == {"v0", "v1"}
