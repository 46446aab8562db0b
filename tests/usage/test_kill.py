"""Twenty SIGKILLs in a backlog of 100,000 samples: none lost, none twice, every quarter hour right."""

import random
import time
import uuid
from collections import Counter

import pytest
from django.core.management import call_command
from django.db.models import Sum

from tests.processes import manage
from tests.usage.build import body, machine
from tests.usage.kafka import ends, publish
from usage.models import IngestOffset, RejectedMessage, UsageBucket, UsageSample
from usage.periods import BUCKET_MS

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
MACHINES, MESSAGES, SAMPLES_A_MESSAGE = 20, 1_000, 5
KILLS = 20
STEP_MS = 10_000


def _backlog(first_ms: int) -> list[dict[str, object]]:
    """100,000 samples of twenty machines; the amounts differ, so that a mix-up could not cancel out."""
    streams = [str(uuid.UUID(int=number + 1)) for number in range(MACHINES)]
    return [
        body(
            *[_sample(first_ms, number * SAMPLES_A_MESSAGE + at, which) for at in range(SAMPLES_A_MESSAGE)],
            machine=f"m-{which}",
            stream=streams[which],
        )
        for number in range(MESSAGES)
        for which in range(MACHINES)
    ]


def _sample(first_ms: int, seq: int, which: int) -> dict[str, object]:
    start = first_ms + seq * STEP_MS
    return {
        "seq": seq, "start": start, "end": start + STEP_MS, "cpu_ms": (seq * 7 + which) % 70_000, "disk_mib_ms": 5,
        "memory_mib_ms": 10_240_000 + seq, "net_rx": seq, "net_tx": which, "disk_read": 1, "disk_write": 2,
    }  # fmt: skip


def _expected(backlog: list[dict[str, object]]) -> Counter[tuple[str, int]]:
    """CPU by machine and quarter hour, summed here and not by the product. Samples end on the edges, none crosses one."""
    sums: Counter[tuple[str, int]] = Counter()
    for message in backlog:
        samples = message["samples"]
        assert isinstance(samples, list)
        for one in samples:
            sums[str(message["machine"]), one["start"] // BUCKET_MS * BUCKET_MS] += one["cpu_ms"]
    return sums


def _stored_messages() -> int:
    return int(IngestOffset.objects.aggregate(total=Sum("stored", default=0))["total"])


def test_twenty_kills_lose_nothing_and_double_nothing(kafka_bootstrap: str, topic: str) -> None:
    for number in range(MACHINES):
        machine(f"m-{number}")
    first_ms = (int(time.time() * 1000) // BUCKET_MS - 80) * BUCKET_MS
    backlog = _backlog(first_ms)
    publish(kafka_bootstrap, topic, backlog)
    seed = time.time_ns()
    chance = random.Random(seed)
    print("seed", seed)
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "USAGE_TOPIC": topic, "KAFKA_GROUP": f"group-{topic}"}
    consume = ("consume_usage", "--until-caught-up", "--instance", "w1", "--max-records", "100")

    for kill in range(1, KILLS + 1):
        process = manage(*consume, **kafka)
        # Somewhere in the next twentieth of the backlog, at any instant of a batch.
        goal = len(backlog) * kill // (KILLS + 2) - chance.randrange(len(backlog) // 50)
        while _stored_messages() < goal:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.communicate()
    killed_at = _stored_messages()
    last = manage(*consume, **kafka)
    output, _ = last.communicate(timeout=120)

    assert last.returncode == 0, output
    assert 0 < killed_at < len(backlog)
    assert UsageSample.objects.count() == 100_000
    assert not RejectedMessage.objects.exists()
    assert IngestOffset.objects.aggregate(total=Sum("next_offset"))["total"] == sum(ends(kafka_bootstrap, topic).values())
    buckets = {(code, start): cpu for code, start, cpu in UsageBucket.objects.values_list("machine__code", "start_ms", "cpu_ms")}
    assert buckets == dict(_expected(backlog))
    call_command("audit_usage")
