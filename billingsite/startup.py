"""The steps from nothing to a running product: services, database, demo, programs. Each is a line a person can read."""

import hashlib
import http.client
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import django
import redis
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError

from billingsite import kafka_jars
from billingsite.broker import count_brokers, ensure_topic
from billingsite.kafka_node import HOST
from billingsite.programs import Programs
from billingsite.progress import step
from billingsite.surroundings import Mishap

SERVICES = ["broker", "valkey"]
PROGRAMS = ["web", "usage", "tasks", "agent", "fleet"]
READY_WITHIN_S = 60.0


class Startup:
    """One start of everything in a data folder. stop() is right at any point, also after a failed run()."""

    def __init__(self, folder: Path) -> None:
        self.services = Programs(SERVICES, log=folder / "log" / "services.log", env=os.environ)
        self.programs = Programs(PROGRAMS, log=folder / "log" / "programs.log", env=os.environ)
        self.folder = folder
        self.log_ins = ""

    @property
    def web_port(self) -> int:
        return int(os.environ["COREHOUR_PORT"])

    @property
    def site(self) -> str:
        return f"http://{HOST}:{self.web_port}"

    @property
    def topic(self) -> str:
        from django.conf import settings

        return str(settings.USAGE_TOPIC)

    def expected(self) -> list[str]:
        return [*self.services.names, *self.programs.names]

    def running(self) -> dict[str, int]:
        return {**self.services.pids(), **self.programs.pids()}

    def run(self) -> None:
        self._fetch_kafka()
        self.services.start()
        self._prepare_database()
        self._await_services()
        self._load_demo()
        self._start_programs()

    def stop(self) -> None:
        self.programs.stop()
        self.services.stop()

    def refuse_fallen(self) -> None:
        self.services.refuse_fallen()
        self.programs.refuse_fallen()

    def welcome(self) -> str:
        site = os.environ["SITE_URL"]
        return (
            f"\n  Portal     {site}/\n  Operators  {site}/admin/\n  API        {site}/api/docs/\n"
            f"\n{self.log_ins}\n  Logs are in {self.folder / 'log'}. Ctrl-C stops everything; what was stored is kept."
        )

    def _fetch_kafka(self) -> None:
        if kafka_jars.are_here():
            return
        with step(f"Fetching Apache Kafka {kafka_jars.KAFKA_VERSION}, once"):
            try:
                kafka_jars.jars()
            except kafka_jars.JarsMissing as error:
                raise Mishap(str(error)) from error

    def _prepare_database(self) -> None:
        with step("Preparing the database"):
            try:
                django.setup()
                call_command("migrate", verbosity=0)
            except ImproperlyConfigured as error:
                raise Mishap(str(error)) from error
            except DatabaseError as error:
                why = str(error).strip().splitlines()[0]
                raise Mishap(f"The database cannot be used: {why}. Mend DATABASE_URL, or unset it to use SQLite.") from error
        stamp = self.folder / "static" / "collected"
        wanted = _static_files()
        if not stamp.exists() or stamp.read_text() != wanted:
            with step("Collecting the pages' files"), open(os.devnull, "w") as nowhere:
                call_command("collectstatic", interactive=False, verbosity=0, stdout=nowhere)
            stamp.write_text(wanted)

    def _await_services(self) -> None:
        bootstrap = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
        with step(f"Kafka at {bootstrap}"):
            self._await("Kafka", lambda: count_brokers(bootstrap) > 0, self.services)
            ensure_topic(bootstrap, self.topic)
        with step(f"Valkey at {HOST}:{os.environ['COREHOUR_VALKEY_PORT']}"):
            self._await("Valkey", _valkey_answers, self.services)

    def _load_demo(self) -> None:
        with step("Loading the demo"):
            said = io.StringIO()
            call_command("load_demo", stdout=said)
            self.log_ins = said.getvalue()

    def _start_programs(self) -> None:
        with step("Starting web, usage worker, tasks, agent, fleet"):
            self.programs.start()
            self._await("The web server", self._web_answers, self.programs)

    def _web_answers(self) -> bool:
        return _status(self.web_port, "/healthz") == 200

    def _await(self, name: str, condition: Callable[[], bool], group: Programs) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not condition():
            group.refuse_fallen()
            if time.monotonic() > deadline:
                raise Mishap(f"{name} did not answer within {READY_WITHIN_S:.0f} s. See {group.log}")
            time.sleep(0.1)


def _static_files() -> str:
    """Return a digest of what would be collected. Compressing it takes seconds, which a second start need not spend."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            about = Path(storage.path(path)).stat()
            digest.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _valkey_answers() -> bool:
    try:
        with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _status(port: int, path: str) -> int:
    """Ask this machine's own web server, past any proxy. Return 0 while it does not answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
