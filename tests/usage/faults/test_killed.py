"""SIGKILL, at every point there is: before the commit nothing is written, after it everything."""

import random
import signal
import time
from collections.abc import Callable

import pytest
from django.core.management import call_command

from tests.nursery import Nursery
from tests.usage.build import LIMITS, TOPIC_ID, machine, offset_row
from tests.usage.faults.batch import differences, recent, records, written
from tests.usage.faults.conftest import await_, position
from tests.usage.kafka import publish
from usage.ingest import store
from usage.models import IngestOffset, RejectedMessage, UsageSample
from usage.offsets import LostOwnership, Position

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
NOTHING = {"UsageSample": 0, "UsageBucket": 0, "RejectedMessage": 0, "next_offset": 0}
EVERYTHING = {"UsageSample": 5, "UsageBucket": 4, "RejectedMessage": 2, "next_offset": 7}
LEAST_STEPS = 12  # Statements and commits of a batch; fewer would mean that the trap does not see them.
KILLS = 20


def test_killed_at_any_statement_a_batch_is_stored_whole_or_not_at_all(workers: Nursery) -> None:
    machine()
    offset_row()
    found: list[dict[str, int]] = []

    for step in range(1, 200):
        code = workers.wait(workers.start("store_batch", kill_at=step))
        found.append(written())
        if code == 0 or found[-1] != NOTHING:
            break
        assert code == -signal.SIGKILL, workers.said()

    assert found[-1] == EVERYTHING
    assert len(found) > LEAST_STEPS
    assert code == -signal.SIGKILL, "the last one died right after its commit"
    with pytest.raises(LostOwnership):
        store(Position("resource_usage", TOPIC_ID, 0, 0), records(), LIMITS)
    assert written() == EVERYTHING
    assert differences() == []


@pytest.mark.usefixtures("machines")
def test_killed_between_the_databases_commit_and_kafkas_nothing_is_stored_twice(
    kafka_bootstrap: str, topic: str, workers: Nursery, consume: Callable[..., int]
) -> None:
    publish(kafka_bootstrap, topic, recent(40, machines=4))

    first = consume("--max-records", "5", trap="die after commit", at=2)
    assert workers.wait(first) == -signal.SIGKILL, workers.said()
    stored_by_the_first = UsageSample.objects.count()
    second = consume("--until-caught-up")
    assert workers.wait(second) == 0, workers.said()

    assert 0 < stored_by_the_first < 40
    assert UsageSample.objects.count() == 40
    assert sum(IngestOffset.objects.values_list("duplicate", flat=True)) == 0
    assert differences() == []


def test_twenty_kills_in_a_backlog_lose_nothing_and_double_nothing(
    kafka_bootstrap: str, topic: str, workers: Nursery, consume: Callable[..., int]
) -> None:
    for number in range(20):
        machine(f"m-{number}")
    backlog = recent(20_000, machines=20)
    publish(kafka_bootstrap, topic, backlog)
    seed = time.time_ns()
    chance = random.Random(seed)
    print("seed", seed)

    for kill in range(1, KILLS + 1):
        pid = consume("--instance", "w1", "--max-records", "100")
        # Somewhere in the next part of the backlog, at any instant of a batch.
        goal = len(backlog) * kill // (KILLS + 2) - chance.randrange(len(backlog) // 50)
        await_(lambda goal=goal: position() >= goal)  # type: ignore[misc]
        time.sleep(chance.random() * 0.02)
        workers.kill(pid)
    killed_at = position()
    assert workers.wait(consume("--instance", "w1", "--until-caught-up"), 120) == 0, workers.said()

    assert 0 < killed_at < len(backlog)
    assert UsageSample.objects.count() == len(backlog)
    assert not RejectedMessage.objects.exists()
    assert differences() == []
    call_command("audit_usage")
