"""What an agent does with the spool it is given, without a broker."""

from pathlib import Path

import pytest

from agent.config import load
from agent.console import gap_words
from agent.service import Service, owner
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


def test_after_a_reboot_the_time_without_an_agent_is_declared_to_the_millisecond(capsys: pytest.CaptureFixture[str]) -> None:
    before = Service(load({}), boot="b1")
    while not before.spool.position().next:
        before.tick()
    ended_ms = before.spool.position().end_ms
    before.close()

    after = Service(load({}), boot="b2")
    [gap] = after.spool.gaps()

    assert (gap.start_ms, gap.end_ms, gap.samples) == (ended_ms, after.sampler.carried().end_ms, 0)
    assert after.spool.bridges() == []
    after.close()


def test_a_gap_is_shown_to_the_millisecond() -> None:
    words = gap_words(1_764_028_800_007, 1_764_028_805_250, 3, "database or disk is full")

    assert words == "2025-11-25 00:00:00.007 to 00:00:05.250 UTC: 3 samples, database or disk is full"


def test_a_gap_over_midnight_says_both_days() -> None:
    words = gap_words(1_764_028_800_007, 1_764_201_605_250, 0, "the machine was restarted")

    assert words == "2025-11-25 00:00:00.007 to 2025-11-27 00:00:05.250 UTC: the machine was restarted"


def machine_id(monkeypatch: pytest.MonkeyPatch, folder: Path, identity: str) -> None:
    file = folder / "machine-id"
    file.write_text(identity + "\n")
    monkeypatch.setattr("agent.service.owner", lambda machine: owner(machine, file))
    monkeypatch.setattr("agent.cgroup.find", lambda: None)


def begun_and_closed(samples: int) -> tuple[str, int]:
    """Start an agent with the settings of now: its stream, and how many samples it finds waiting; then it writes some more."""
    service = Service(load({}))
    found = service.spool.stream, service.outbox.waiting()
    if samples:
        service.spool.append(HOST, [sample(number) for number in range(samples)])
    service.close()
    return found


def test_the_spool_of_an_image_is_not_sent_by_the_machines_made_from_it(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine_id(monkeypatch, tmp_path, "a" * 32)
    first, _ = begun_and_closed(3)
    assert begun_and_closed(0) == (first, 3)

    machine_id(monkeypatch, tmp_path, "b" * 32)
    stream, waiting = begun_and_closed(1)

    assert (stream != first, waiting) == (True, 0)
    assert "another machine's (machine_id differs)" in caplog.text
    (aside,) = (state / "web-1").glob("spool.sqlite3.foreign-*")
    assert Spool(aside).stream == first
    assert Spool(aside).position().waiting == 3
    assert begun_and_closed(0) == (stream, 1)


def test_a_folder_that_was_renamed_to_another_code_is_not_sent_as_that(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = begun_and_closed(3)
    (state / "web-1").rename(state / "web-2")
    monkeypatch.setenv("COREHOUR_MACHINE", "web-2")

    stream, waiting = begun_and_closed(0)

    assert (stream != first, waiting) == (True, 0)


@pytest.mark.parametrize("identity", ["", "uninitialized"])
def test_a_machine_without_an_id_goes_by_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: str) -> None:
    machine_id(monkeypatch, tmp_path, identity)
    first, _ = begun_and_closed(3)

    assert begun_and_closed(0) == (first, 3)
