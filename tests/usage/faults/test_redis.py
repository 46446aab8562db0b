"""Redis gone: live charts stand still, ingest goes on."""

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.processes import valkey
from tests.usage.faults.batch import differences, recent
from tests.usage.kafka import drain, publish
from usage.live import LivePush
from usage.models import UsageSample

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("machines")]


def test_ingest_goes_on_while_redis_is_gone(
    kafka_bootstrap: str, topic: str, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usage.live.FRESH_MS", 10**9)  # The messages are hours old; live is what they shall count as.
    live = LivePush(interval_s=0.05)
    told: list[Exception] = []
    monkeypatch.setattr(live, "_complain", told.append)
    live.start()

    with valkey(tmp_path) as url:
        settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [url]}}}
        publish(kafka_bootstrap, topic, recent(10))
        with_redis = drain(kafka_bootstrap, topic, live=live).stored
        told_meanwhile = list(told)
    publish(kafka_bootstrap, topic, recent(10, first=10))
    without = drain(kafka_bootstrap, topic, live=live).stored
    live.close()

    assert (with_redis, without) == (10, 10)
    assert told_meanwhile == []
    assert told != []
    assert UsageSample.objects.count() == 20
    assert differences() == []
