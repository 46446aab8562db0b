"""Finds the programs of Debian's that tests drive, a browser and a screen, and installs them where that is possible."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium(log: Path) -> tuple[str | None, str]:
    """Return the browser's path, or None and the reason in words."""
    if not (found := _browser()):
        why = _install(["chromium"], log)
        found = _browser()
        return found, why or "Chromium was installed but is not on PATH"
    return found, ""


def find_screen(log: Path) -> tuple[bool, str]:
    """Return whether windows can be shown on a screen that nobody sees, or False and the reason in words."""
    missing = ([] if shutil.which("Xvfb") else ["xvfb"]) + ([] if find_spec("_tkinter") else ["python3-tk"])
    if not missing:
        return True, ""
    if "python3-tk" in missing and sys.base_prefix != "/usr":
        return False, f"The Python in {sys.base_prefix} was built without tkinter"
    why = _install(missing, log)
    return not why, why


def _browser() -> str | None:
    given = os.environ.get("CHROMIUM")
    return given or next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _install(packages: list[str], log: Path) -> str:
    """Install packages. Return why it could not be done, or nothing."""
    names = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"Only root on Debian can install what is missing: apt-get install {names}"
    print(f"Installing {names} (a minute or two)", flush=True)
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *packages]):
        if _quietly(command, log):
            return f"{names} could not be installed: {log.read_text(errors='replace').strip().splitlines()[-1]}"
    return ""


def _quietly(command: list[str], log: Path) -> int:
    with log.open("wb") as output:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, check=False
        ).returncode
