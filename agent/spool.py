"""Third step: every sample goes to disk, with its number in the stream, before any of it goes to the network.

SQLite with a write-ahead log, because it gives at once what a file of lines would need code for: a torn last write rolls
back, number and sample are one transaction, and deleting what the server has makes room again. Every commit is synced: if
the power went after a sample was sent but before it was on disk, its number would be given to another sample.
"""

import logging
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agent import private
from agent.salvage import salvage
from agent.samples import QUANTITIES, Host, Sample
from agent.wire import Numbered

COLUMNS = ("seq", "cores", "memory_mib", "start_ms", "end_ms", *QUANTITIES)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS stream (one INTEGER PRIMARY KEY CHECK (one = 1), uuid TEXT NOT NULL,
    next INTEGER NOT NULL, acknowledged INTEGER NOT NULL, watermark INTEGER NOT NULL, end_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sample ({", ".join(f"{name} INTEGER NOT NULL" for name in COLUMNS)}, PRIMARY KEY (seq));
CREATE TABLE IF NOT EXISTS gap (start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    samples INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bridge (start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
INSERT = f"INSERT INTO sample ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our own names
SELECT = f"SELECT {', '.join(COLUMNS)} FROM sample WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?"  # noqa: S608 - our own names
REMEMBER = "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
PAGE_BYTES = 4096
ROOM_SAMPLES = 5_000

log = logging.getLogger("agent")


@dataclass(frozen=True, slots=True)
class Position:
    """Where the stream stands: written below `next`, on the broker below `acknowledged`, on the server below `watermark`."""

    next: int
    acknowledged: int
    watermark: int
    end_ms: int

    @property
    def waiting(self) -> int:
        return self.next - self.acknowledged


@dataclass(frozen=True, slots=True)
class Gap:
    """Time of which no usage was kept: the disk or the spool was full, or the machine was restarted (no samples then)."""

    start_ms: int
    end_ms: int
    samples: int
    reason: str


class Spool:
    """One machine's stream on disk. Safe to use from several threads; one process at a time (agent.lock)."""

    def __init__(self, path: Path, *, limit_mib: int = 100) -> None:
        self.path = path
        self.limit_mib = limit_mib
        self._refused: Gap | None = None
        self._lock = threading.RLock()
        private.folder(path.parent)
        self._db = self._open_or_replace()
        self.stream: str = self._db.execute("SELECT uuid FROM stream").fetchone()[0]

    def position(self) -> Position:
        with self._lock:
            return Position(*self._db.execute("SELECT next, acknowledged, watermark, end_ms FROM stream").fetchone())

    def append(self, host: Host, samples: Sequence[Sample], carried: str | None = None) -> bool:
        """Number the samples and put them on disk. False if there is no room: the old ones stay, these are counted as a gap.

        `carried` is remembered in the same transaction: how the counters stood at the end of the last of them.
        """
        try:
            self._append(host, samples, carried)
        except sqlite3.OperationalError as error:
            if not (self._make_room() and self._append_again(host, samples, carried)):
                self._refuse(samples, str(error))
                return False
        return True

    def read(self, first: int, end: int, limit: int) -> list[Numbered]:
        with self._lock:
            rows = self._db.execute(SELECT, (first, end, limit)).fetchall()
        return [Numbered(seq, Host(cores, memory), Sample(*rest)) for seq, cores, memory, *rest in rows]

    def oldest(self) -> int:
        """The lowest seq still on disk; the next one to come if there is none."""
        with self._lock:
            first: int = self._db.execute("SELECT coalesce((SELECT min(seq) FROM sample), next) FROM stream").fetchone()[0]
        return first

    def acknowledge(self, end: int) -> None:
        """The broker has everything below `end`; it stays on disk until the server has it too. A lower `end` is a step back."""
        with self._transaction() as db:
            db.execute("UPDATE stream SET acknowledged = min(?, next)", (end,))

    def forget_below(self, watermark: int) -> int:
        """The server has stored everything below `watermark`: delete it. Return how many went.

        A watermark above `next` speaks of samples that another spool sent as this stream: that deletes nothing of ours.
        """
        with self._transaction() as db:
            if watermark > db.execute("SELECT next FROM stream").fetchone()[0]:
                return 0
            _remember_time(db, watermark)
            db.execute("UPDATE stream SET watermark = max(watermark, ?)", (watermark,))
            db.execute("UPDATE stream SET acknowledged = max(acknowledged, watermark)")
            return db.execute("DELETE FROM sample WHERE seq < ?", (watermark,)).rowcount

    def forget_before(self, end_ms: int) -> int:
        """Delete what the broker has had since before `end_ms`: too old for the server, or no server is there to ask."""
        with self._transaction() as db:
            return db.execute(
                "DELETE FROM sample WHERE end_ms < ? AND seq < (SELECT acknowledged FROM stream)", (end_ms,)
            ).rowcount

    def leave(self, stream: str) -> None:
        """Resolve, through restarts, that nothing more is sent as this stream. `begin_again` is for the thread that sends."""
        self.remember("left", stream)

    def is_left(self) -> bool:
        return self.recall("left") == self.stream

    def begin_again(self) -> None:
        """A new stream, in which what the broker has not acknowledged is numbered from 0."""
        stream, before = str(uuid.uuid4()), self.position()
        with self._transaction() as db:
            db.execute("DELETE FROM sample WHERE seq < ?", (before.acknowledged,))
            db.execute("UPDATE sample SET seq = ? - seq - 1", (before.acknowledged,))  # Through negative numbers: those are free.
            db.execute("UPDATE sample SET seq = -seq - 1")
            db.execute("UPDATE stream SET uuid = ?, next = next - acknowledged, acknowledged = 0, watermark = 0", (stream,))
        self.stream = stream
        log.error("%s: a new stream, %s, begins with the %d samples not sent yet", self.path, stream, before.waiting)

    def gaps(self) -> list[Gap]:
        with self._lock:
            written = [
                Gap(*row) for row in self._db.execute("SELECT start_ms, end_ms, samples, reason FROM gap ORDER BY start_ms")
            ]
        return written + ([self._refused] if self._refused else [])

    def note_gap(self, gap: Gap) -> None:
        """Keep that in this time nothing was metered."""
        with self._transaction() as db:
            db.execute("INSERT INTO gap VALUES (?, ?, ?, ?)", (gap.start_ms, gap.end_ms, gap.samples, gap.reason))

    def note_bridge(self, start_ms: int, end_ms: int) -> None:
        """Keep that in [start_ms, end_ms) the agent was down and only counters were metered."""
        with self._transaction() as db:
            db.execute("INSERT INTO bridge VALUES (?, ?)", (start_ms, end_ms))

    def bridges(self) -> list[tuple[int, int]]:
        with self._lock:
            return [tuple(row) for row in self._db.execute("SELECT start_ms, end_ms FROM bridge ORDER BY start_ms")]

    def remember(self, name: str, value: str) -> None:
        with self._transaction() as db:
            db.execute(REMEMBER, (name, value))

    def recall(self, name: str) -> str | None:
        with self._lock:
            row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def claim(self, owner: Mapping[str, str]) -> None:
        """Bind the spool to its machine. One that another machine filled is set aside, kept for people, and a new one begins."""
        known = {name: self.recall(name) for name in owner}
        differing = [name for name in owner if known[name] not in (None, owner[name])]
        if differing:
            self.close()
            aside = self._set_aside("foreign")
            log.error("the spool is another machine's (%s differs): it is now %s, and a new one begins", differing[0], aside)
            self._db = self._open()
            self.stream = self._db.execute("SELECT uuid FROM stream").fetchone()[0]
        for name, value in owner.items():
            if differing or known[name] is None:
                with suppress(sqlite3.OperationalError):  # The disk is full: at the next start, then.
                    self.remember(name, value)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _append(self, host: Host, samples: Sequence[Sample], carried: str | None) -> None:
        with self._transaction() as db:
            first = db.execute("SELECT next FROM stream").fetchone()[0]
            rows = [
                (seq, host.cores, host.memory_mib, sample.start_ms, sample.end_ms, *sample.quantities().values())
                for seq, sample in enumerate(samples, first)
            ]
            db.executemany(INSERT, rows)
            db.execute("UPDATE stream SET next = ?, end_ms = ?", (first + len(rows), samples[-1].end_ms))
            if carried is not None:
                db.execute(REMEMBER, ("carried", carried))
            if self._refused:
                gap = self._refused
                db.execute("INSERT INTO gap VALUES (?, ?, ?, ?)", (gap.start_ms, gap.end_ms, gap.samples, gap.reason))
        self._refused = None

    def _append_again(self, host: Host, samples: Sequence[Sample], carried: str | None) -> bool:
        try:
            self._append(host, samples, carried)
        except sqlite3.OperationalError:
            return False
        return True

    def _make_room(self) -> bool:
        """Drop the oldest samples that the broker already has, if there are any.

        Even those that the server has not stored: one it refuses holds the watermark for ever, and new usage is nowhere else.
        """
        try:
            with self._transaction() as db:
                oldest = "SELECT seq FROM sample WHERE seq < (SELECT acknowledged FROM stream) ORDER BY seq LIMIT ?"
                dropped = db.execute(f"DELETE FROM sample WHERE seq IN ({oldest})", (ROOM_SAMPLES,)).rowcount  # noqa: S608
        except sqlite3.OperationalError:
            return False
        if dropped:
            log.warning("the spool is full: its oldest %d samples, which the broker has, make room for new ones", dropped)
        return dropped > 0

    def _refuse(self, samples: Sequence[Sample], reason: str) -> None:
        if self._refused is None:
            log.error("no room for new samples (%s): they are not kept until there is", reason)
            self._refused = Gap(samples[0].start_ms, samples[0].start_ms, 0, reason)
        before = self._refused
        self._refused = Gap(before.start_ms, samples[-1].end_ms, before.samples + len(samples), reason)

    def _open_or_replace(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # Disk full, no permission: nothing is wrong with the file.
                raise
            aside = self._set_aside("damaged")
            log.error("the spool is damaged (%s): it is now %s, and a new stream begins", error, aside)
            db = self._open()
            salvage(aside, db)
            return db

    def _open(self) -> sqlite3.Connection:
        for suffix in ("-wal", "-shm"):  # SQLite makes these with the mode of the file itself; older agents' may be wider.
            if (beside := Path(f"{self.path}{suffix}")).exists():
                private.touch(beside)
        private.touch(self.path)
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            self._prepare(db)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 256")  # The log stays at 1 MiB and is reused: no growth when the disk is full.
        db.execute(f"PRAGMA max_page_count = {self.limit_mib * 1024 * 1024 // PAGE_BYTES}")
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        db.executescript(SCHEMA)
        db.execute("INSERT OR IGNORE INTO stream VALUES (1, ?, 0, 0, 0, 0)", (str(uuid.uuid4()),))

    def _set_aside(self, why: str) -> Path:
        aside = self.path.with_name(f"{self.path.name}.{why}-{uuid.uuid4().hex[:8]}")
        self.path.rename(aside)
        with suppress(FileNotFoundError):
            Path(f"{self.path}-wal").rename(f"{aside}-wal")  # The newest of it.
        Path(f"{self.path}-shm").unlink(missing_ok=True)
        return aside

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _remember_time(db: sqlite3.Connection, watermark: int) -> None:
    """Up to when the server has samples: for people, who do not think in numbers of a stream."""
    end_ms = db.execute("SELECT max(end_ms) FROM sample WHERE seq < ?", (watermark,)).fetchone()[0]
    if end_ms is not None:
        db.execute(REMEMBER, ("watermark_ms", str(end_ms)))
