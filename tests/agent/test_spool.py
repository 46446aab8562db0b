"""What the disk keeps: numbers without gaps, through restarts, damage and a full disk."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.modes import Mode
from agent.spool import Gap, Position, Spool
from tests.agent.build import HOST, T0, sample, spool_with


def seqs(spool: Spool) -> list[int]:
    return [numbered.seq for numbered in spool.read(0, 10**9, 10**9)]


def test_samples_come_back_as_they_went_in(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 3)

    second = spool.read(1, 2, 10)[0]

    assert (second.seq, second.host, second.sample) == (1, HOST, sample(1))


def test_stream_and_numbers_go_on_after_a_restart_even_when_all_was_deleted(tmp_path: Path) -> None:
    first = spool_with(tmp_path, 3)
    first.forget_below(3)
    first.close()
    second = Spool(tmp_path / "spool.sqlite3")

    second.append(HOST, [sample(3)])

    assert second.stream == first.stream
    assert seqs(second) == [3]


def test_two_spools_are_two_streams(tmp_path: Path) -> None:
    assert spool_with(tmp_path / "a", 0).stream != spool_with(tmp_path / "b", 0).stream


def test_the_brokers_word_deletes_nothing_the_servers_does(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 10)

    spool.acknowledge(8)
    assert seqs(spool) == list(range(10))
    assert spool.position().waiting == 2

    spool.forget_below(5)
    assert seqs(spool) == [5, 6, 7, 8, 9]
    assert spool.position().watermark == 5


def test_a_server_that_is_ahead_of_the_acknowledgement_is_believed(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 10)

    spool.forget_below(7)

    assert spool.position().waiting == 3


def test_a_server_that_claims_more_than_was_ever_written_moves_no_number_and_deletes_nothing(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 2)

    assert spool.forget_below(1_000) == 0
    spool.append(HOST, [sample(2)])
    assert seqs(spool) == [0, 1, 2]
    assert spool.position().waiting == 3

    assert spool.forget_below(3) == 3


def test_a_new_stream_begins_with_what_is_unsent_and_stays_after_a_restart(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 10)
    before = spool.stream
    spool.acknowledge(4)

    spool.begin_again()
    spool.append(HOST, [sample(10)])
    spool.close()

    again = Spool(tmp_path / "spool.sqlite3")
    assert again.stream == spool.stream != before
    assert [numbered.seq for numbered in again.read(0, 100, 100)] == list(range(7))
    assert [numbered.sample for numbered in again.read(0, 100, 100)] == [sample(number) for number in range(4, 11)]
    assert again.position() == Position(next=7, acknowledged=0, watermark=0, end_ms=sample(10).end_ms)


def test_by_age_only_acknowledged_samples_go(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 10)
    spool.acknowledge(4)

    spool.forget_before(T0 + 5_000 * 8 + 1)

    assert seqs(spool) == [4, 5, 6, 7, 8, 9]


def test_settings_are_remembered(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 0)
    spool.remember("mode", "a")
    spool.remember("mode", "b")
    spool.close()

    again = Spool(tmp_path / "spool.sqlite3")

    assert again.recall("mode") == "b"
    assert again.recall("colour") is None


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    spool_with(tmp_path / "state", 0)

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "spool.sqlite3").stat().st_mode & 0o777 == 0o600


def fill(spool: Spool) -> int:
    """Append until it refuses; return how many went in."""
    count = 0
    while spool.append(HOST, [sample(number) for number in range(count, count + 100)]):
        count += 100
    return count


def test_a_full_spool_keeps_the_old_refuses_the_new_and_lists_the_gap(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite3", limit_mib=1)
    kept = fill(spool)
    lost = sample(kept)

    assert spool.position().next == kept
    assert seqs(spool) == list(range(kept))
    assert spool.gaps() == [Gap(lost.start_ms, lost.start_ms + 500_000, 100, "database or disk is full")]

    spool.forget_below(kept // 2)
    assert spool.append(HOST, [sample(kept + 100)])
    assert spool.read(kept, kept + 1, 1)[0].sample == sample(kept + 100)  # No number was spent on what was lost.
    spool.close()
    assert len(Spool(tmp_path / "spool.sqlite3").gaps()) == 1


def test_what_the_broker_has_makes_room_and_what_it_has_not_does_not(tmp_path: Path) -> None:
    sent = Spool(tmp_path / "sent.sqlite3", limit_mib=1)
    sent.acknowledge(fill(sent))
    unsent = Spool(tmp_path / "unsent.sqlite3", limit_mib=1)
    fill(unsent)

    assert sent.append(HOST, [sample(0)] * 200)
    assert not unsent.append(HOST, [sample(0)] * 200)


def test_three_days_at_five_seconds_fit_into_a_tenth_of_the_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite3")

    spool.append(HOST, [sample(number, cpu_ms=40_000) for number in range(51_840)])
    spool.close()

    assert (tmp_path / "spool.sqlite3").stat().st_size < 10 * 2**20


def test_a_damaged_spool_is_set_aside_and_a_new_stream_begins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = spool_with(tmp_path, 5_000)
    before.close()
    path = tmp_path / "spool.sqlite3"
    content = bytearray(path.read_bytes())
    content[4_096 * 3 : 4_096 * 9] = os.urandom(4_096 * 6)
    path.write_bytes(content)

    after = Spool(path)

    assert after.stream != before.stream
    assert after.position().next == 0
    assert len(list(tmp_path.glob("spool.sqlite3.damaged-*"))) == 1
    assert "damaged" in caplog.text


def damage(path: Path, table: str) -> None:
    """Write over a table's own page, and leave the others."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * 4_096)
        file.write(b"\xff" * 4_096)


def test_a_damaged_spool_leaves_its_users_wishes_and_says_what_is_lost(tmp_path: Path) -> None:
    before = spool_with(tmp_path, 5)
    before.acknowledge(2)
    before.remember("mode", Mode(paused=True).to_json())
    before.remember("left", before.stream)
    before.note_gap(Gap(T0 - 20_000, T0 - 10_000, 0, "reboot"))
    before.close()
    damage(tmp_path / "spool.sqlite3", "bridge")

    after = Spool(tmp_path / "spool.sqlite3")

    assert Mode.from_json(after.recall("mode")).words() == "paused"
    assert not after.is_left()
    lost = Gap(sample(2).start_ms, sample(4).end_ms, 3, "the spool was damaged")
    assert after.gaps() == [Gap(T0 - 20_000, T0 - 10_000, 0, "reboot"), lost]


def test_where_the_mode_cannot_be_read_either_the_agent_begins_paused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool_with(tmp_path, 5).close()
    (tmp_path / "spool.sqlite3").write_bytes(b"no database at all" * 1_000)

    after = Spool(tmp_path / "spool.sqlite3")

    assert Mode.from_json(after.recall("mode")).words() == "paused"
    assert "begins paused" in caplog.text
    assert after.append(HOST, [sample(0)])


KILLED = """
import sys; from pathlib import Path
from agent.spool import Spool; from tests.agent.build import HOST, sample
spool = Spool(Path(sys.argv[1]))
while True:
    spool.append(HOST, [sample(0), sample(1)]); print(spool.position().next, flush=True)
"""


def test_whatever_a_killed_agent_said_it_wrote_is_there(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite3"
    said = 0
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait()
        said = int([line for line in lines if line.endswith("\n")][-1])

        spool = Spool(path)
        assert spool.position().next >= said
        assert seqs(spool) == list(range(spool.position().next))
        spool.close()
    assert said >= 200
