"""Programs under honcho and the guard: who falls is named, and whatever happens nothing is left running."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from billingsite import programs as programs_module
from billingsite.programs import Programs
from billingsite.surroundings import Mishap

from .test_broker import await_true, processes_in

# Each program names a file below the test's folder, by which it is found.
# "stubborn" ignores SIGTERM and has a child in a session of its own.
PROCFILE = """\
good: exec tail -f {folder}/good
stubborn: trap '' TERM; setsid tail -f {folder}/child & tail -f {folder}/stubborn
bad: echo about to fall; cat {folder}/good; exit 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("good", "child", "stubborn"):
        (tmp_path / name).write_text("")
    (tmp_path / "Procfile").write_text(PROCFILE.format(folder=tmp_path))
    monkeypatch.setattr(programs_module, "ROOT", tmp_path)
    return tmp_path


def run(folder: Path, *names: str) -> Programs:
    programs = Programs(list(names), log=folder / "log" / "programs.log", env=os.environ)
    programs.start()
    return programs


def test_stopping_leaves_no_process_not_even_a_stubborn_one(folder: Path) -> None:
    programs = run(folder, "good", "stubborn")
    assert await_true(lambda: set(programs.pids()) == {"good", "stubborn"})
    assert await_true(lambda: len(processes_in(folder)) >= 4)

    programs.stop()

    assert processes_in(folder) == []


def test_the_program_that_fell_is_named_with_its_last_words(folder: Path) -> None:
    programs = run(folder, "good", "bad")

    def has_fallen() -> bool:
        try:
            programs.refuse_fallen()
        except Mishap:
            return True
        return False

    assert await_true(has_fallen)
    with pytest.raises(Mishap, match=r"(?s)bad stopped by itself \(exit code 3\).*about to fall"):
        programs.refuse_fallen()
    programs.stop()
    assert processes_in(folder) == []


def test_killing_the_starter_leaves_no_process(folder: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from billingsite import programs\n"
        "programs.ROOT = Path(sys.argv[1])\n"
        "programs.Programs(['good', 'stubborn'], log=Path(sys.argv[1]) / 'log', env=os.environ).start(); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)]) as starter:
        # The starter's own command line names the folder without a slash after it, so it is not counted.
        assert await_true(lambda: len(processes_in(folder)) >= 4)

        starter.send_signal(signal.SIGKILL)

    assert await_true(lambda: processes_in(folder) == [], within_s=30)
