"""Whom the agent's files belong to, and that nobody else can open them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import keys, private
from agent.cli import main
from agent.lock import Lock
from agent.spool import Spool
from tests.agent.build import HOST, sample

SOMEBODY = 12_345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture(autouse=True)
def _wide_umask() -> Iterator[None]:
    """The mask of somebody whose files all can read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_everything_in_the_folder_is_its_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "web-1"
    lock, spool = Lock(folder), Spool(folder / "spool.sqlite3")
    spool.append(HOST, [sample(0)])
    keys.keep(keys.generate(), folder / "key.pem")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    spool.close()
    lock.release()

    assert modes == dict.fromkeys(("key.pem", "lock", "spool.sqlite3", "spool.sqlite3-shm", "spool.sqlite3-wal"), 0o600)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]


def test_what_an_older_agent_left_open_is_closed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite3")
    spool.append(HOST, [sample(0)])
    paths = sorted(tmp_path.iterdir())
    for path in paths:
        path.chmod(0o644)

    again = Spool(tmp_path / "spool.sqlite3")

    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600] * 3
    again.close()
    spool.close()


@as_root
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, SOMEBODY, SOMEBODY)

    lock, spool = Lock(state / "web-1"), Spool(state / "web-1" / "spool.sqlite3")
    spool.append(HOST, [sample(0)])
    keys.keep(keys.generate(), state / "web-1" / "key.pem")
    private.write(state / "enrolment.json", b"{}")
    private.folder(tmp_path / "of-root")

    assert {path.stat().st_uid for path in state.rglob("*")} == {SOMEBODY}
    assert {path.stat().st_gid for path in state.rglob("*")} == {SOMEBODY}
    assert (tmp_path / "of-root").stat().st_uid == 0
    spool.close()
    lock.release()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("x")
    (tmp_path / "lock").symlink_to(other)

    with pytest.raises(private.FolderProblem, match="cannot work in"):
        Lock(tmp_path)
    assert stat.S_IMODE(other.stat().st_mode) == 0o666


def test_a_file_where_the_machines_folder_should_be(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "web-1").write_text("")

    assert main(["run", "--once", "--machine", "web-1"]) == 1
    assert f"cannot work in {state}/web-1: there is a file of that name." in capsys.readouterr().err
