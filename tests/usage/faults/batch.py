"""What the tests of faults store: messages of now, and one batch that holds some of everything."""

import os
import time
from typing import Any

from tests.usage.build import NOW_MS, OTHER_STREAM, body, paper, raw, sample
from usage.audit import checks
from usage.models import IngestOffset, RejectedMessage, UsageBucket, UsageSample
from usage.wire import RawMessage

# The whole length of what takes long in life: FAULTS_FULL=1 pytest tests/usage/faults
FULL = os.environ.get("FAULTS_FULL") == "1"
STEP_MS = 1_000
CPU_MS = 100


def records() -> list[RawMessage]:
    """New samples, one of them across a quarter hour, a second stream, a duplicate, a contradiction, nonsense, a reading."""
    start = NOW_MS - 2_700_000 - 4_000
    across = sample(2, start=start, end=start + 10_000)
    later = sample(0, start=NOW_MS - 60_000, end=NOW_MS - 50_000)
    contents: list[Any] = [
        body(sample(0), sample(1)),
        body(across),
        body(sample(0)),
        body(later, stream=str(OTHER_STREAM)),
        body(sample(1, cpu_ms=1)),
        b"nonsense",
    ]
    reading = paper({"machine_id": "web-1", "cpu_usage": 50, "memory_usage": 50}, offset=len(contents))
    return [*(raw(content, offset=offset) for offset, content in enumerate(contents)), reading]


def written() -> dict[str, int]:
    """How many rows there are of what a batch writes."""
    models = (UsageSample, UsageBucket, RejectedMessage)
    return {model.__name__: model._default_manager.count() for model in models} | {
        "next_offset": sum(IngestOffset.objects.values_list("next_offset", flat=True))
    }


def recent(count: int, *, first: int = 0, machines: int = 1) -> list[dict[str, Any]]:
    """As many messages of one sample each, of machines in turn, that a worker by the real clock takes."""
    start = int(time.time() * 1000) // 900_000 * 900_000 - 7_200_000
    made = []
    for number in range(first, first + count):
        seq, which = divmod(number, machines)
        at = start + seq * STEP_MS
        one = sample(seq, start=at, end=at + STEP_MS, cpu_ms=CPU_MS, memory_mib_ms=1_000)
        made.append(body(one, machine=f"m-{which}", stream=f"0192f1e4-0000-7000-8000-{which:012x}"))
    return made


def differences() -> list[str]:
    """What the audit finds wrong, and every quarter hour's CPU beside the samples', summed here."""
    found = [difference for check in checks() for difference in check.differences]
    buckets = sum(UsageBucket.objects.values_list("cpu_ms", flat=True))
    samples = sum(UsageSample.objects.values_list("cpu_ms", flat=True))
    return found if buckets == samples else [*found, f"{buckets} core-ms in quarter hours, {samples} in samples"]
