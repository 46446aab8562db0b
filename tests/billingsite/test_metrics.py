"""What Prometheus scrapes, from whom it is kept, and whether a server is ready."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from tests.cast import a_customer, a_machine, a_member, an_operator, signed_in, with_key
from usage.models import IngestIncident, IngestOffset, Reason, RejectedMessage, WorkerBeat

pytestmark = pytest.mark.django_db
ELSEWHERE: dict[str, Any] = {"REMOTE_ADDR": "203.0.113.9"}


def _beat(name: str, ago_s: int, **fields: Any) -> None:
    moment = now() - timedelta(seconds=ago_s)
    WorkerBeat.objects.create(name=name, started_at=moment, beat_at=moment, **fields)


def _lines() -> dict[str, float]:
    page = Client().get("/metrics").content.decode()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in page.splitlines() if line[:1] != "#")}


def test_it_tells_the_books_the_lag_and_what_asks_for_a_look() -> None:
    place = {"topic": "t", "partition": 1, "cluster_id": "c", "topic_id": "t"}
    IngestOffset.objects.create(**place, first_offset=5, next_offset=12, stored=4, duplicate=2, rejected=1, samples_stored=40)
    message = {"topic": "t", "topic_id": "t", "partition": 1, "offset": 6, "timestamp_ms": 0, "key": b"", "value": b""}
    RejectedMessage.objects.create(**message, reason=Reason.OVERLAP)
    IngestIncident.objects.create(kind="overlap", machine_code="web-1", detail="x")
    a_machine(a_customer(), last_seen_ms=int((now() - timedelta(seconds=90)).timestamp() * 1000))
    _beat("usage-1", 200, lag={"0": 9, "1": 9}, fenced=3)
    _beat("usage-2", 4, lag={"1": 7})

    found = _lines()

    assert found['corehour_messages_total{partition="1",state="duplicate",topic="t"}'] == 2
    assert found['corehour_samples_stored_total{partition="1",topic="t"}'] == 40
    assert found['corehour_next_offset{partition="1",topic="t"}'] == 12
    assert found['corehour_rejected_messages{reason="overlap",state="open"}'] == 1
    assert found['corehour_incidents_open{kind="overlap"}'] == 1
    assert (found['corehour_lag{partition="0"}'], found['corehour_lag{partition="1"}']) == (9, 7)
    assert found['corehour_fenced_total{worker="usage-1"}'] == 3
    assert found['corehour_worker_age_seconds{worker="usage-1"}'] >= 200
    assert 90 <= found["corehour_newest_sample_age_seconds"] < 120


def test_only_this_host_and_staff_find_it() -> None:
    proxied: dict[str, Any] = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}

    assert Client().get("/metrics").status_code == 200
    assert Client().get("/metrics", **ELSEWHERE).status_code == 404
    assert Client().get("/metrics", **proxied).status_code == 404
    assert signed_in(a_member()).get("/metrics", **ELSEWHERE).status_code == 404
    assert with_key(a_customer()).get("/metrics", **ELSEWHERE).status_code == 404
    assert signed_in(an_operator()).get("/metrics", **ELSEWHERE).status_code == 200


def test_a_server_is_ready_without_a_worker_unless_one_is_asked_for() -> None:
    none, asked = Client().get("/readyz"), Client().get("/readyz?worker=1")
    _beat("usage-1", 90)
    stale = Client().get("/readyz?worker=1")
    _beat("usage-2", 3)
    fresh = Client().get("/readyz?worker=1")

    assert (none.status_code, none.json()) == (200, {"status": "ok", "database": "ok", "worker": "none"})
    assert (asked.status_code, stale.status_code, stale.json()["worker"]) == (503, 503, "stale")
    assert (fresh.status_code, fresh.json()["worker"]) == (200, "fresh")


def test_a_broker_that_does_not_answer_makes_it_unready_only_when_asked_for(settings: Any) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"

    without, asked = Client().get("/readyz"), Client().get("/readyz?broker=1")

    assert (without.status_code, "broker" in without.json()) == (200, False)
    assert (asked.status_code, asked.json()["broker"]) == (503, "away")
