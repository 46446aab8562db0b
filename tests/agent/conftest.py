"""A place for an agent to work in: its own state folder, the real broker, an empty topic.

The agent knows no database: of its tests only those that meet the server run on PostgreSQL too.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.command import ENGINE

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if ENGINE != "postgres":
        return
    apart = {item for item in items if HERE in item.path.parents and item.get_closest_marker("django_db") is None}
    config.hook.pytest_deselected(items=list(apart))
    items[:] = [item for item in items if item not in apart]


@pytest.fixture
def agent_environment(kafka_bootstrap: str, topic: str, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("USAGE_TOPIC", topic)
    monkeypatch.setenv("COREHOUR_MACHINE", "web-1")


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short path, since a socket's may have 107 bytes at most."""
    folder = tmp_path_factory.mktemp("s")
    monkeypatch.setenv("COREHOUR_AGENT_STATE_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Commands that run in this process take SIGTERM and SIGINT: give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
