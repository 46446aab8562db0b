"""What the tests of faults share: real workers as processes on the test's database, and a wait for what they store."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.nursery import Nursery, nursery
from tests.processes import environment
from tests.usage.build import machine
from tests.usage.kafka import ends
from usage.models import IngestOffset

SESSION_MS = 1_500
PATIENCE_S = 180.0  # For a machine that does much else.


@pytest.fixture(scope="session")
def workers(django_db_setup: None, kafka_bootstrap: str) -> Iterator[Nursery]:
    """Forks workers that lose their partitions when they are silent for a second and a half."""
    with nursery(environment(KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap, KAFKA_SESSION_TIMEOUT_MS=str(SESSION_MS))) as made:
        yield made


@pytest.fixture
def consume(workers: Nursery, topic: str) -> Iterator[Callable[..., int]]:
    """Start a worker on the test's topic and return its pid. None outlives the test."""
    started: list[int] = []

    def start(*options: str, **trap: Any) -> int:
        pid = workers.start("consume", options=["--topic", topic, *options], group=f"group-{topic}", **trap)
        started.append(pid)
        return pid

    yield start
    for pid in started:
        workers.kill(pid)


@pytest.fixture
def machines(transactional_db: None) -> None:
    for number in range(4):
        machine(f"m-{number}")


@pytest.fixture
def stored(kafka_bootstrap: str, topic: str) -> Callable[[], None]:
    """Wait until everything is stored that the topic holds now."""

    def wait() -> None:
        wanted = sum(ends(kafka_bootstrap, topic).values())
        await_(lambda: position() >= wanted)

    return wait


def position() -> int:
    """How many messages have been dealt with."""
    return sum(IngestOffset.objects.values_list("next_offset", flat=True))


def await_(done: Callable[[], bool], step: Callable[[], object] = lambda: time.sleep(0.02)) -> None:
    """Step until it is done; fail after three minutes."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, f"not so after {PATIENCE_S:.0f} s"
        step()
