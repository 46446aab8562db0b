"""A worker's sign of life, its lag and its counters, on a real broker."""

import pytest
from prometheus_client import REGISTRY

from tests.usage.build import LIMITS, body, machine, sample
from tests.usage.kafka import publish, worker
from usage.models import WorkerBeat
from usage.monitor import Bar, Monitor, name_of

pytestmark = [pytest.mark.kafka, pytest.mark.django_db(transaction=True)]


def _counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_worker_beats_with_its_lag_and_leaves_nothing_behind(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    monkeypatch.setattr("usage.worker.Limits", lambda now_ms, max_age_ms: LIMITS)
    publish(kafka_bootstrap, topic, [*(body(sample(seq)) for seq in range(5)), b"no"], partition=0)
    before = _counted("corehour_worker_messages_total", state="stored")
    refused = _counted("corehour_worker_rejected_total", reason="wrong_type") + _counted(
        "corehour_worker_rejected_total", reason="not_json"
    )
    one = worker(kafka_bootstrap, topic)
    monitor = Monitor("usage-1", every_s=0.0)
    try:
        ends = one.ends()
        with Bar(one, ends) as bar:
            for _ in range(600):
                monitor.look(one, one.step(0.1))
                bar.move()
                if one.caught_up(ends) and one.positions:
                    break
            monitor.look(one, one.step(0.1))
    finally:
        one.close()

    beat = WorkerBeat.objects.get()
    monitor.close()
    assert (beat.name, beat.messages, beat.samples, beat.rejected) == ("usage-1", 6, 5, 1)
    assert beat.lag["0"] == 0
    assert _counted("corehour_worker_messages_total", state="stored") == before + 5
    now_refused = _counted("corehour_worker_rejected_total", reason="wrong_type") + _counted(
        "corehour_worker_rejected_total", reason="not_json"
    )
    assert now_refused == refused + 1
    assert _counted("corehour_worker_lag", topic=topic, partition="0") == 0
    assert _counted("corehour_worker_batch_seconds_count") > 0
    assert not WorkerBeat.objects.exists()


def test_a_worker_without_a_name_is_named_by_its_host_and_process() -> None:
    assert name_of("usage-1") == "usage-1"
    assert name_of(None).rpartition("-")[2].isdigit()
