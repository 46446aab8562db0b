"""Files and folders that only their owner can open. What root makes here belongs to whom the folder belongs: a service's user,
say, that has to read what `sudo corehour-agent enrol` wrote."""

import os
from pathlib import Path


class FolderProblem(Exception):
    """The state folder cannot be used; the text says why and what to do."""


def folder(path: Path) -> None:
    """Make it, mode 700, with those above it that are not there. Raise FolderProblem."""
    try:
        missing = [part for part in (path, *path.parents) if not part.exists()]
        for part in reversed(missing):
            part.mkdir(mode=0o700, exist_ok=True)
            if above := _owner_to_follow(part.parent):
                os.chown(part, *above, follow_symlinks=False)
        if not path.is_dir():
            raise NotADirectoryError(20, "there is a file of that name")
    except OSError as error:
        raise FolderProblem(
            f"cannot work in {path}: {error.strerror}. Run this as the owner of the folder, or give another one with --state-dir."
        ) from error


def touch(path: Path) -> None:
    """Make an empty file unless there is one, and see to it that no other user can open it. Raise OSError."""
    number = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(number, 0o600)
        _give(number, path.parent)
    finally:
        os.close(number)


def write(path: Path, content: bytes) -> None:
    """Replace a file, on disk when this returns; a crash leaves the old one or the new one. Raise OSError, FolderProblem."""
    folder(path.parent)
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        _give(file.fileno(), path.parent)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _give(number: int, above: Path) -> None:
    if owner := _owner_to_follow(above):
        os.fchown(number, *owner)


def _owner_to_follow(above: Path) -> tuple[int, int] | None:
    """The user and group that root makes things for in this folder; None for anybody else, who makes them for himself."""
    if os.geteuid() != 0:
        return None
    status = above.stat()
    return (status.st_uid, status.st_gid) if status.st_uid else None
