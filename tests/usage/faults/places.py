"""Databases that a test may ruin: a PostgreSQL of its own to crash, and a disk of a few megabytes to fill."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.postgres import Server
from tests.processes import database_url

BALLAST = "ballast"
DISK_MB = 96


@dataclass
class Place:
    """A copy of the test's database, somewhere else."""

    url: str
    disk: Path | None = None

    def number(self, statement: str) -> int:
        """The one number that a SELECT gives; 0 while the database cannot tell."""
        try:
            if self.url.startswith("sqlite"):
                with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as sqlite:
                    return int(sqlite.execute(statement).fetchone()[0] or 0)
            with psycopg.connect(self.url) as postgres:
                row = postgres.execute(statement.encode()).fetchone()
                return int(row[0] or 0) if row else 0
        except (sqlite3.OperationalError, psycopg.OperationalError):
            return 0

    def samples(self) -> int:
        return self.number("SELECT count(*) FROM usage_usagesample")

    def cpu_ms(self) -> int:
        return self.number("SELECT sum(cpu_ms) FROM usage_usagebucket")

    def fill(self) -> None:
        """Leave no room at all."""
        assert self.disk is not None
        with contextlib.suppress(OSError), (self.disk / BALLAST).open("ab", buffering=0) as ballast:
            while ballast.write(b"\0" * 65_536):
                pass

    def free(self) -> None:
        assert self.disk is not None
        (self.disk / BALLAST).unlink()


def copied_postgres(server: Server, name: str, *, tablespace: Path | None = None) -> Place:
    """Make a database with the test's schema and rows, if wanted on a disk of its own."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        where = ""
        if tablespace is not None:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{tablespace}'".encode())
            where = "TABLESPACE small"
        admin.execute(f"CREATE DATABASE {name} {where}".encode())
    url = f"{server.url.rsplit('/', 1)[0]}/{name}"
    dumped = subprocess.run([server.programs / "pg_dump", database_url()], capture_output=True, check=True).stdout
    subprocess.run([server.programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", url], input=dumped, capture_output=True, check=True)
    return Place(url, tablespace)


def copied_sqlite(disk: Path) -> Place:
    """Put a copy of the test's file on this disk."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(connection.settings_dict["NAME"], disk / "copy.sqlite3")
    return Place(f"sqlite:///{disk / 'copy.sqlite3'}", disk)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk in memory. Skip the test where this process may not."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount the small disk that this test fills")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0777", "corehour-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
