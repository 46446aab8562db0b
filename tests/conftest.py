"""What every test may ask for. Kafka is always a real broker: one per run, a fresh topic per test."""

import os
import uuid
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import TransactionTestCase
from kafka.admin import KafkaAdminClient
from pytest_django import Settings

from accounts import append_only
from billingsite.broker import PARTITIONS, EmbeddedKafka
from billingsite.kafka_node import free_ports
from invoices import guards
from usage import keys

os.environ["USAGE_REQUIRE_SIGNATURE"] = "0"  # For the product's programs that tests start; the setting is for this process.

_empty_tables = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined] # Django's own hook, not in the stubs


def _thaw_and_empty_tables(case: TransactionTestCase) -> None:
    """Between tests even what is frozen must go; the guards step aside for that moment alone."""
    with connection.schema_editor() as editor:
        guards.drop(None, editor)
        append_only.drop(editor, "accounts_auditentry")
    _empty_tables(case)
    with connection.schema_editor() as editor:
        guards.install(None, editor)
        append_only.install(editor, "accounts_auditentry")


TransactionTestCase._fixture_teardown = _thaw_and_empty_tables  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running broker: the one that TEST_KAFKA_BOOTSTRAP_SERVERS names, else one of this run's own."""
    if given := os.environ.get("TEST_KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port=free_ports(1)[0]) as broker:
        yield broker.bootstrap


@pytest.fixture(scope="session")
def kafka_admin(kafka_bootstrap: str) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap.split(","))
    yield admin
    admin.close()


@pytest.fixture
def topic(kafka_admin: KafkaAdminClient) -> str:
    """An empty topic of three partitions that no other test has ever written to."""
    name = f"usage-{uuid.uuid4().hex}"
    kafka_admin.create_topics({name: {"num_partitions": PARTITIONS}}, wait_for_metadata=True)
    return name


@pytest.fixture(autouse=True)
def _quick_settings(settings: Settings) -> None:
    """Static files as they lie in the sources, with nothing collected first, and passwords that cost nothing to check.

    Usage need not be signed, but where a test is about that, and no key is remembered from the test before.
    """
    settings.USAGE_REQUIRE_SIGNATURE = False
    settings.STAFF_SECOND_FACTOR = False
    keys.forget()
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
