"""SIGSTOP past the session, SIGTERM with work in flight: who comes back late writes nothing, who goes loses nothing."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from tests.nursery import Nursery, nursery
from tests.processes import environment
from tests.usage.faults.batch import differences, recent
from tests.usage.faults.conftest import SESSION_MS, await_, position
from tests.usage.kafka import publish
from usage.models import IngestOffset, UsageSample

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("machines")]
TERM_WITHIN_S = 10.0


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def test_a_worker_stopped_past_its_session_writes_nothing_when_it_goes_on(
    kafka_bootstrap: str, topic: str, workers: Nursery, consume: Callable[..., int]
) -> None:
    publish(kafka_bootstrap, topic, recent(60), partition=0)
    zombie = consume("--max-records", "5", trap="stop before store", at=3)
    await_(lambda: _is_stopped(zombie))
    before = position()

    heir = consume("--until-caught-up")  # It gets the partition when the zombie's session has run out.
    assert workers.wait(heir) == 0, workers.said()
    books = list(IngestOffset.objects.values("partition", "next_offset", "stored", "duplicate", "updated_at"))
    os.kill(zombie, signal.SIGCONT)
    await_(lambda: "no longer at" in workers.said())
    os.kill(zombie, signal.SIGTERM)
    workers.wait(zombie)

    assert before == 10
    assert list(IngestOffset.objects.values("partition", "next_offset", "stored", "duplicate", "updated_at")) == books
    assert UsageSample.objects.count() == 60
    assert differences() == []


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite frees its lock with the process, and waits till then")
def test_a_worker_stopped_in_the_middle_of_its_transaction_does_not_hold_the_partition_for_ever(
    kafka_bootstrap: str, topic: str, consume: Callable[..., int]
) -> None:
    assert connection.settings_dict["OPTIONS"]["options"] == "-c idle_in_transaction_session_timeout=60000"
    publish(kafka_bootstrap, topic, recent(60), partition=0)
    env = environment(KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap, KAFKA_SESSION_TIMEOUT_MS=str(SESSION_MS))
    env["DATABASE_URL"] += "?options=-c%20idle_in_transaction_session_timeout%3D1000"

    with nursery(env) as impatient:
        options = ["--topic", topic, "--max-records", "5"]
        zombie = impatient.start("consume", options=options, group=topic, trap="stop before the offset moves", at=3)
        await_(lambda: _is_stopped(zombie))
        assert impatient.wait(impatient.start("consume", options=[*options, "--until-caught-up"], group=topic)) == 0
        os.kill(zombie, signal.SIGCONT)
        await_(lambda: "does not answer" in impatient.said())

    assert UsageSample.objects.count() == 60
    assert differences() == []


def test_sigterm_with_work_in_flight_finishes_the_batch_and_loses_nothing(
    kafka_bootstrap: str, topic: str, workers: Nursery, consume: Callable[..., int]
) -> None:
    publish(kafka_bootstrap, topic, recent(3_000, machines=4))
    first = consume("--max-records", "50")
    await_(lambda: position() > 0)

    os.kill(first, signal.SIGTERM)
    told = time.monotonic()
    code = workers.wait(first)
    took = time.monotonic() - told
    left_behind = 3_000 - position()
    assert workers.wait(consume("--until-caught-up")) == 0, workers.said()

    assert code == 0
    assert took < TERM_WITHIN_S
    assert left_behind > 0
    assert UsageSample.objects.count() == 3_000
    assert differences() == []
