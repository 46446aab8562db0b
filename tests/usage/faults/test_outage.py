"""The database that goes down and the disk that runs full, under a real worker: it holds, and goes on by itself."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.nursery import nursery
from tests.postgres import OTHER_USER, Server, server
from tests.processes import environment
from tests.usage.faults.batch import CPU_MS, recent
from tests.usage.faults.conftest import SESSION_MS, await_
from tests.usage.faults.places import Place, copied_postgres, copied_sqlite, small_disk
from tests.usage.kafka import publish

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("machines")]
SAMPLES = 2_000


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server | None]:
    """A PostgreSQL to be ruined, where the tests run on PostgreSQL."""
    if connection.vendor == "sqlite":
        yield None
        return
    with server(durable=True) as made:
        yield made


@pytest.fixture
def small_place(own_server: Server | None, machines: None, tmp_path: Path) -> Iterator[Place]:
    """A copy of the test's database on a disk that is soon full."""
    with small_disk((own_server.folder if own_server else tmp_path) / "small") as disk:
        if own_server is None:
            yield copied_sqlite(disk)
            return
        space = disk / "space"
        space.mkdir()
        shutil.chown(space, OTHER_USER)
        place = copied_postgres(own_server, "small", tablespace=space)
        yield Place(place.url, disk)


def _environment(place: Place, kafka_bootstrap: str) -> dict[str, str]:
    ours = {"DATABASE_URL": place.url, "KAFKA_SESSION_TIMEOUT_MS": str(SESSION_MS)}
    return environment(KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap) | ours


def test_postgresql_crashed_and_started_again_loses_nothing(kafka_bootstrap: str, topic: str, own_server: Server | None) -> None:
    if own_server is None:
        pytest.skip("SQLite has no server")
    publish(kafka_bootstrap, topic, recent(SAMPLES, machines=4))
    place = copied_postgres(own_server, "crashed")

    with nursery(_environment(place, kafka_bootstrap)) as workers:
        pid = workers.start("consume", options=["--topic", topic, "--max-records", "20"], group=topic)
        await_(lambda: place.samples() > 0)
        own_server.crash()
        await_(lambda: "does not answer" in workers.said())
        own_server.start()
        after_the_crash = place.samples()
        await_(lambda: place.samples() == SAMPLES)
        os.kill(pid, signal.SIGTERM)
        assert workers.wait(pid) == 0

    assert 0 < after_the_crash < SAMPLES
    assert place.cpu_ms() == SAMPLES * CPU_MS


def test_a_full_disk_is_waited_for(kafka_bootstrap: str, topic: str, small_place: Place) -> None:
    publish(kafka_bootstrap, topic, recent(SAMPLES, machines=4))
    small_place.fill()

    with nursery(_environment(small_place, kafka_bootstrap)) as workers:
        pid = workers.start("consume", options=["--topic", topic], group=topic)
        await_(lambda: "does not answer" in workers.said())
        while_full = small_place.samples()
        small_place.free()
        await_(lambda: small_place.samples() == SAMPLES)
        os.kill(pid, signal.SIGTERM)
        assert workers.wait(pid) == 0

    assert while_full < SAMPLES
    assert small_place.cpu_ms() == SAMPLES * CPU_MS
