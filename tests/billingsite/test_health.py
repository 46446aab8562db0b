"""What a monitor asks."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils.timezone import now

from usage.models import IngestOffset

pytestmark = pytest.mark.django_db


def test_a_fresh_installation_is_healthy_and_has_consumed_nothing() -> None:
    answer = Client().get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok", "offsets_age_s": None})
    assert "no-store" in answer["Cache-Control"]


def test_the_age_is_that_of_the_newest_offset() -> None:
    for partition, minutes in enumerate((5, 1)):
        place = {"topic": "t", "partition": partition, "cluster_id": "c", "topic_id": "t", "first_offset": 0, "next_offset": 0}
        IngestOffset.objects.create(**place, updated_at=now() - timedelta(minutes=minutes))

    assert 60 <= Client().get("/healthz").json()["offsets_age_s"] < 120


def test_without_its_database_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "ensure_connection", away)

    answer = Client().get("/healthz")

    assert (answer.status_code, answer.json()["database"]) == (503, "away")
