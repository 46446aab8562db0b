"""Beside the third step: what can still be read of a damaged spool goes into the one that takes its place.

Its user's wishes, so that a paused agent stays paused, and an account of the samples that are lost. Samples themselves are
not taken over: those that the broker has got would count twice in a new stream.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from agent.modes import Mode

SETTINGS = "SELECT name, value FROM setting WHERE name NOT IN ('left', 'watermark_ms')"  # Those speak of the old stream.
GAPS = "SELECT start_ms, end_ms, samples, reason FROM gap"
BRIDGES = "SELECT start_ms, end_ms FROM bridge"
WAITING = "SELECT end_ms, next - acknowledged FROM stream WHERE next > acknowledged"
OLDEST = "SELECT min(start_ms) FROM sample WHERE seq >= (SELECT acknowledged FROM stream)"
REASON = "the spool was damaged"
Rows = list[tuple[Any, ...]]

log = logging.getLogger("agent")


def salvage(damaged: Path, db: sqlite3.Connection) -> None:
    """Bring what is left of a damaged spool into a new, empty one. Where not even the mode is left, the agent begins paused."""
    with closing(sqlite3.connect(damaged)) as old:
        settings, gaps, bridges, lost = _read(old, SETTINGS), _read(old, GAPS), _read(old, BRIDGES), _lost(old)
    if settings is None:
        settings = [("mode", Mode(paused=True).to_json())]
        log.error("whether its user had paused it cannot be read either: it begins paused, `python -m agent resume` goes on")
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO setting VALUES (?, ?)", settings)
    db.executemany("INSERT INTO gap VALUES (?, ?, ?, ?)", [*(gaps or []), *lost])
    db.executemany("INSERT INTO bridge VALUES (?, ?)", bridges or [])
    db.execute("COMMIT")


def _lost(old: sqlite3.Connection) -> Rows:
    """The gap of what had not been sent. Where its samples cannot be read, it begins where it ends."""
    waiting = _read(old, WAITING)
    if waiting is None:
        log.error("how many samples waited in it cannot be read")
        return []
    oldest = _read(old, OLDEST)
    first = oldest[0][0] if oldest else None
    return [(end_ms if first is None else first, end_ms, count, REASON) for end_ms, count in waiting]


def _read(old: sqlite3.Connection, query: str) -> Rows | None:
    try:
        return old.execute(query).fetchall()
    except sqlite3.DatabaseError:
        return None
