"""What `manage.py doctor` looks at. Each examination returns what it found, or raises Ailment with the remedy."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError

from billingsite import database_roles
from usage.broker import security

LEAST_FREE_BYTES = 1_000_000_000
MOST_SKEW_MS = 2_000
ANSWER_WITHIN_MS = 5_000


class Ailment(Exception):
    """Something is wrong. `remedy` says how to mend it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True)
class Finding:
    name: str
    text: str
    remedy: str = ""

    @property
    def healthy(self) -> bool:
        return not self.remedy


def examine() -> Iterator[Finding]:
    """Examine everything in turn; one ailment does not hide the next."""
    examinations: dict[str, Callable[[], str]] = {
        "disk": disk,
        "database": database,
        "migrations": migrations,
        "wall": wall,
        "broker": broker,
        "topic": topic,
        "redis": redis_server,
        "clock": clock,
    }
    for name, examination in examinations.items():
        try:
            yield Finding(name, examination())
        except Ailment as ailment:
            yield Finding(name, str(ailment), ailment.remedy)


def disk() -> str:
    folder = settings.DATA_DIR
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise Ailment(
            f"only {free // 1_000_000} MB are free in {folder}", "Free some space, or set COREHOUR_DATA_DIR to another disk."
        )
    return f"{free // 1_000_000} MB free in {folder}"


def database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise Ailment(f"{connection.vendor} does not answer: {_first_line(error)}", "Start it, or mend DATABASE_URL.") from error
    return f"{connection.vendor} {'.'.join(map(str, _database_version()))}"


def _database_version() -> tuple[int, ...]:
    version: tuple[int, ...] = connection.get_database_version()
    return version


def migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError as error:
        raise Ailment("unknown, since the database does not answer", "Mend the database first.") from error
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise Ailment(f"{len(missing)} not applied, first {missing[0][0]}", "Run: python manage.py migrate")
    return "all applied"


def wall() -> str:
    """The second wall; see docs/security.md. One role for everything is a choice, half a wall is none."""
    if connection.vendor != "postgresql":
        return f"none, since {connection.vendor} has no roles"
    remedy = "Run, as the owner of the tables: python manage.py database_roles --apply"
    try:
        missing, as_owner = database_roles.gaps(), database_roles.asked_as_owner()
    except DatabaseError as error:
        raise Ailment("unknown, since the database does not answer", "Mend the database and its migrations first.") from error
    if missing or (missing is None and settings.DATABASE_WALL):
        raise Ailment(f"missing before {missing[0] if missing else 'every table'}", remedy)
    if missing is None:
        return "none: every process connects as the owner of the tables, see docs/operating.md"
    return f"stands{', but not before this process, which owns the tables' if as_owner else ''}"


@contextlib.contextmanager
def _admin() -> Iterator[KafkaAdminClient]:
    where = settings.KAFKA_BOOTSTRAP_SERVERS
    try:
        with contextlib.closing(KafkaAdminClient(**security(), bootstrap_timeout_ms=ANSWER_WITHIN_MS)) as client:
            yield client
    except KafkaError as error:
        remedy = (
            "Start Kafka (for development: python manage.py kafka), or mend KAFKA_BOOTSTRAP_SERVERS and the KAFKA_... log-in."
        )
        raise Ailment(f"no answer at {where}: {type(error).__name__}", remedy) from error


def broker() -> str:
    with _admin() as client:
        cluster = client.describe_cluster()
    return f"{len(cluster['brokers'])} at {settings.KAFKA_BOOTSTRAP_SERVERS}, cluster {cluster['cluster_id']}"


def topic() -> str:
    name = settings.USAGE_TOPIC
    with _admin() as client:
        if name not in client.list_topics():
            raise Ailment(
                f"{name} does not exist",
                f"Create it with 3 partitions: kafka-topics.sh --create --topic {name} --partitions 3 ...",
            )
        partitions = client.describe_topics([name])[0]["partitions"]
        stamped_by = _setting(client, name, "message.timestamp.type")
    leaderless = [each["partition_index"] for each in partitions if each["leader_id"] < 0]
    if leaderless:
        raise Ailment(f"{name} has no leader for partitions {leaderless}", "Start the brokers that hold them.")
    if stamped_by != "CreateTime":
        remedy = "Set the topic's message.timestamp.type to CreateTime: a bare reading's time is its Kafka timestamp."
        raise Ailment(f"{name} is stamped with {stamped_by}", remedy)
    return f"{name}, {len(partitions)} partitions"


def _setting(client: KafkaAdminClient, topic_name: str, key: str) -> str:
    found = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic_name)], config_filter="all")
    return str(found["topic"][topic_name][key]["value"])


def redis_server() -> str:
    if not settings.REDIS_URL:
        raise Ailment(
            "REDIS_URL is not set, so browsers get no live pushes and tasks no queue", "Start Redis or Valkey and set REDIS_URL."
        )
    try:
        with _redis() as client:
            client.ping()
            version = client.info("server")["redis_version"]
    except redis.RedisError as error:
        raise Ailment(f"no answer: {_first_line(error)}", "Start it, or mend REDIS_URL.") from error
    return f"version {version}"


def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=ANSWER_WITHIN_MS / 1000)


def clock() -> str:
    """Compare with every other clock in reach: a skewed one bills into the wrong period, or refuses samples as future."""
    skews = {name: theirs - time.time_ns() // 1_000_000 for name, theirs in _other_clocks()}
    for name, skew_ms in skews.items():
        if abs(skew_ms) > MOST_SKEW_MS:
            which = "behind" if skew_ms > 0 else "ahead of"
            raise Ailment(
                f"this machine is {abs(skew_ms) / 1000:.1f} s {which} {name}", "Switch on time synchronisation (NTP) on both."
            )
    if not skews:
        return "no other clock to compare with"
    return ", ".join(f"{skew_ms:+d} ms to {name}" for name, skew_ms in skews.items())


def _other_clocks() -> Iterator[tuple[str, int]]:
    """Yield epoch milliseconds of each. One that does not answer has its own line already."""
    if connection.vendor == "postgresql":
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
            yield "PostgreSQL", int(cursor.fetchone()[0])
    if settings.REDIS_URL:
        with contextlib.suppress(redis.RedisError), _redis() as client:
            seconds, micros = client.time()
            yield "Redis", seconds * 1000 + micros // 1000


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
