"""One process for a state folder: two agents on one spool would give the same number to two samples."""

import fcntl
import os
from pathlib import Path

from agent import private


class Taken(Exception):
    """Another process holds the folder."""


class Lock:
    """Held from construction until `release` or the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Raise Taken, FolderProblem."""
        private.folder(folder)
        try:
            private.touch(folder / "lock")
            self._file = (folder / "lock").open("a+")
        except OSError as error:
            raise private.FolderProblem(
                f"cannot work in {folder}: {error.strerror}. Run this as the owner of the folder."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise Taken(f"process {holder} already works in {folder}. Stop it, or give this one another --state-dir.") from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        self._file.close()
