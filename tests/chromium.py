"""Finds a real Chromium for the browser tests, and installs Debian's where that is possible."""

import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL = (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])


def find_chromium(log: Path) -> tuple[str | None, str]:
    """Return the browser's path, or None and the reason in words."""
    if found := _on_path():
        return found, ""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None, "There is no Chromium here, and only root on Debian can install one: apt-get install chromium"
    print("Installing Chromium (a minute or two)", flush=True)
    for command in INSTALL:
        if _quietly(command, log):
            return None, f"Chromium could not be installed: {log.read_text(errors='replace').strip().splitlines()[-1]}"
    return _on_path(), "Chromium was installed but is not on PATH"


def _on_path() -> str | None:
    given = os.environ.get("CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


def _quietly(command: list[str], log: Path) -> int:
    with log.open("wb") as output:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env, check=False
        ).returncode
