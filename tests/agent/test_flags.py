"""Wrong flags: one sentence that names the flag and how to mend it, exit code 2, and never a traceback."""

from pathlib import Path

import pytest

from agent.cli import main

FLAGS = [
    ("--bootstrap", ""),
    ("--bootstrap", "127.0.0.1:99999"),
    ("--interval", ""),
    ("--interval", "-5"),
    ("--machine", ""),
    ("--spool-mib", ""),
    ("--state-dir", ""),
    ("--state-dir", __file__),
    ("--server", "http://127.0.0.1:abc"),
    ("--ssl-cafile", ""),
    ("--transport", ""),
    ("--config", ""),
]


@pytest.mark.parametrize(("flag", "value"), FLAGS)
def test_each_wrong_flag_is_named(state: Path, flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    machine = [] if flag == "--machine" else ["--machine", "web-1"]

    assert main(["status", *machine, f"{flag}={value}"]) == 2

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"agent: {flag}: {'an empty value' if not value else repr(value)} will not do. It must be ")
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("http://127.0.0.1:abc x", "URL: 'http://127.0.0.1:abc' will not do. It must be an address such as https://"),
        ("billing.example.com x", "URL: 'billing.example.com' will not do."),
        ("http://billing.example.com che_x", "is another machine and http is not encrypted"),
        ("http://127.0.0.1.example.com che_x", "is another machine and http is not encrypted"),
        ("https://billing.example.com two\twords", "TOKEN: this will not do."),
    ],
)
def test_an_enrolment_that_cannot_work_is_not_tried(
    state: Path, words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enrol", *words.split(" ")]) == 2

    assert complaint in capsys.readouterr().err
    assert list(state.iterdir()) == []


def test_an_unencrypted_enrolment_can_be_allowed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enrol", "http://0.0.0.0:1", "che_x", "--plaintext", "yes"]) == 1

    assert "no answer from http://0.0.0.0:1" in capsys.readouterr().err
    assert list(state.iterdir()) == []  # The key of an enrolment that failed is of no use.


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "name a trace FILE and its --machine, or a --fleet"),
        ("cpu.csv --cores 0", "cores must be a whole number of 1 or more"),
        ("cpu.csv --memory-percent x", "memory_percent must be a number from 0 to 100"),
        ("cpu.csv --movement 101", "movement must be a whole number of 100 at most"),
        ("cpu.csv --from 0001-01-01", "--from: '0001-01-01' is not a time such as"),
        ("cpu.csv --follow --to 2026-10-02", "following has no end: leave out either to or follow"),
        ("cpu.csv --from soon", "--from: 'soon' is not a time such as"),
        ("cpu.csv --from=", "--from: '' is not a time such as"),
        ("cpu.csv --step 0", "--step must be whole seconds from 1 to 3600"),
        ("cpu.csv --seal yes --transport=", "--transport: an empty value will not do"),
        ("missing.csv", "cannot read"),
        ("--fleet missing.toml", "cannot read"),
        ("--fleet .", "cannot read"),
    ],
)
def test_a_replay_that_makes_no_sense(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cpu.csv").write_text("timestamp,value\n2026-10-01 00:00:00,50\n2026-10-01 00:05:00,10\n")

    assert main(["replay", "--machine", "web-1", *words.split()]) == 2

    assert complaint in capsys.readouterr().err


def test_sealing_without_a_key_to_seal_to_sends_nothing(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "cpu.csv"
    trace.write_text("timestamp,value\n2026-10-01 00:00:00,50\n2026-10-01 00:05:00,10\n")
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[machine]]\ncode = "old-1"\nversion0 = true\n')

    assert main(["replay", str(trace), "--machine", "web-1", "--seal", "yes", "--bootstrap", "127.0.0.1:1"]) == 1
    assert main(["replay", "--fleet", str(fleet), "--seal", "yes", "--bootstrap", "127.0.0.1:1"]) == 2

    first, second = capsys.readouterr().err.splitlines()
    assert "machine web-1: usage is to be sealed, but the server has told no key for it" in first
    assert "machine old-1: version0 cannot be sealed" in second
