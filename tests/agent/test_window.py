"""Runs the window's tests in a process of their own: Tk must die in the thread that made it, and other tests start threads."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest


@pytest.mark.slow
def test_the_window_holds_in_a_process_of_its_own() -> None:
    if which("Xvfb") is None or find_spec("_tkinter") is None:
        pytest.skip("the window needs tkinter and Xvfb: apt-get install python3-tk xvfb")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__).parent / "apart" / "test_window.py")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    assert " passed" in done.stdout
