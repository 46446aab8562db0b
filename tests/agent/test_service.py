"""What an agent does with the spool it is given, without a broker."""

from pathlib import Path

import pytest

from agent.config import load
from agent.service import Service
from agent.spool import Spool
from tests.agent.build import HOST, sample


@pytest.fixture(autouse=True)
def _nobody_there(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREHOUR_MACHINE", "web-1")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")


def fill(spool: Spool) -> int:
    """Append until it refuses; return how many went in."""
    count = 0
    while spool.append(HOST, [sample(0)] * 500):
        count += 500
    return count


def test_what_a_server_never_stores_keeps_no_new_sample_out_once_the_broker_has_it() -> None:
    service = Service(load({"spool_mib": "1", "server": "http://127.0.0.1:1"}))
    kept = fill(service.spool)

    service.spool.acknowledge(kept)
    assert service.spool.append(HOST, [sample(1)] * 500)
    assert service.spool.position().waiting == 500
    service.spool.acknowledge(0)
    assert not service.spool.append(HOST, [sample(2)] * 30_000)

    service.close()
