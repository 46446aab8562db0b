"""What `bin/up` says about a machine that is not ready for it, and what it writes to one that is."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from billingsite import surroundings
from billingsite.surroundings import Mishap


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_second_start_in_the_same_folder_is_told_of_the_first(tmp_path: Path) -> None:
    with (
        surroundings.only_one(tmp_path),
        pytest.raises(Mishap, match=rf"already running from {tmp_path} \(process \d+\)"),
        surroundings.only_one(tmp_path),
    ):
        pass

    with surroundings.only_one(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(Mishap, match=r"Cannot write to .*file/var.*COREHOUR_DATA_DIR"),
        surroundings.only_one(tmp_path / "file" / "var"),
    ):
        pass


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(taken_port: int) -> None:
    with pytest.raises(Mishap, match=rf"Port {taken_port} is taken by another program. .* set COREHOUR_PORT"):
        surroundings.choose_ports({"COREHOUR_PORT": str(taken_port)})


def test_a_usual_port_that_is_taken_is_passed_over(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(surroundings.PORTS, "COREHOUR_PORT", taken_port)

    chosen = surroundings.choose_ports({})

    assert taken_port < chosen["COREHOUR_PORT"] < taken_port + 100
    assert len(set(chosen.values())) == 3


@pytest.mark.parametrize("text", ["0", "65536", "eighty", "-1", "8e3", "٨٠"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(Mishap, match="is not a port"):
        surroundings.choose_ports({"COREHOUR_PORT": text})


def test_secrets_are_random_private_and_kept(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    first = surroundings.secrets_of(tmp_path)

    assert (tmp_path / "dev.env").stat().st_mode & 0o777 == 0o600
    assert surroundings.secrets_of(tmp_path) == first
    assert surroundings.secrets_of(tmp_path / "other")["VALKEY_PASSWORD"] != first["VALKEY_PASSWORD"]
    assert first["USAGE_MAX_AGE_DAYS"] == "70"


def test_forgetting_leaves_what_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for name in ("kafka/node-1", "log", "holiday-pictures"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("corehour.sqlite3", "corehour.sqlite3-wal", "diary.txt"):
        (tmp_path / name).write_text("x")

    surroundings.forget(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary.txt", "holiday-pictures"]


def test_forgetting_does_not_touch_a_database_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somewhere/else")
    (tmp_path / "kafka").mkdir()

    with pytest.raises(Mishap, match="DATABASE_URL"):
        surroundings.forget(tmp_path)

    assert (tmp_path / "kafka").exists()


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "LEAST_FREE_BYTES", 10**18)

    with pytest.raises(Mishap, match=r"MB are free in .*COREHOUR_DATA_DIR"):
        surroundings.refuse_full_disk(tmp_path)
