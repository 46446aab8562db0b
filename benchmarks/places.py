"""Where a benchmark runs: a folder, a broker and databases of its own, all gone when it ends, whatever it ends with."""

import contextlib
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.programs import prepare
from billingsite.broker import EmbeddedKafka
from billingsite.kafka_node import Node, free_ports
from tests.agent.fault_proxy import Proxy, proxy, second_door
from tests.postgres import postgres

ENGINES = ("sqlite", "postgres")


@dataclass
class Sqlite:
    """Copies of one migrated file."""

    folder: Path
    name: str = "sqlite"
    version: str = f"SQLite {sqlite3.sqlite_version}"
    made: int = 0
    cookie: str = ""

    def url(self, name: str = "template") -> str:
        return f"sqlite:///{self.folder / name}.sqlite3"

    def fresh(self) -> str:
        """Make a migrated, empty database and return its DATABASE_URL."""
        self.made += 1
        shutil.copy(self.folder / "template.sqlite3", self.folder / f"run-{self.made}.sqlite3")
        return self.url(f"run-{self.made}")


@dataclass
class Postgres:
    """Copies of one migrated database on a server of its own, which waits for its disk as a real one does."""

    server: str
    name: str = "postgres"
    version: str = "PostgreSQL"
    made: int = 0
    cookie: str = ""

    def __post_init__(self) -> None:
        with psycopg.connect(self.server) as connection:
            self.version = f"PostgreSQL {connection.info.parameter_status('server_version')}"
        self._run('CREATE DATABASE "template"')

    def url(self, name: str = "template") -> str:
        return f"{self.server.rsplit('/', 1)[0]}/{name}"

    def fresh(self) -> str:
        """Make a migrated, empty database and return its DATABASE_URL."""
        self.made += 1
        self._run(f'CREATE DATABASE "run-{self.made}" TEMPLATE "template"')
        return self.url(f"run-{self.made}")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement.encode())


Engine = Sqlite | Postgres


@dataclass(frozen=True)
class Place:
    """The folder and the broker of one benchmark."""

    folder: Path
    bootstrap: str


@contextlib.contextmanager
def place(more: Callable[[Node], Mapping[str, object]] = lambda node: {}) -> Iterator[Place]:
    """Start a broker in a new folder; afterwards neither is left. `more` adds to the broker's settings."""
    with tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name:
        folder = Path(name)
        say("starting a broker")
        with EmbeddedKafka(folder / "kafka", port=free_ports(1)[0], more=more) as broker:
            yield Place(folder, broker.bootstrap)


@contextlib.contextmanager
def place_behind_a_proxy() -> Iterator[tuple[Place, Proxy]]:
    """Start a broker with a second door, which is the proxy's port: whoever enters there has the proxy's weather."""
    inside, outside = free_ports(2)
    with place(lambda node: second_door(node, inside, outside)) as where, proxy(outside, inside) as network:
        yield where, network


@contextlib.contextmanager
def engine(name: str, where: Place, *, machines: int) -> Iterator[Engine]:
    """An engine whose fresh databases know these many machines, m-0 and so on, of the customer `bench`."""
    say(f"preparing {name}")
    with contextlib.ExitStack() as stack:
        made: Engine = Sqlite(where.folder) if name == "sqlite" else Postgres(stack.enter_context(postgres(durable=True)))
        made.cookie = prepare(where.folder, made.url(), machines)
        yield made


def chosen_engines(choice: str) -> tuple[str, ...]:
    return ENGINES if choice == "both" else (choice,)


def say(line: str) -> None:
    """Progress, for people; the figures go to standard output."""
    print(f"... {line}", file=sys.stderr, flush=True)
