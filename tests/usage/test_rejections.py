"""Every malformed message of the decoder's table, through a real broker, with good ones beside them."""

import json
from unittest import mock

import pytest
from kafka import KafkaProducer

from tests.usage.build import DAY_MS, NOW_MS, body, machine, sample
from tests.usage.kafka import V1, drain
from tests.usage.test_wire import MALFORMED
from usage.audit import checks
from usage.models import RejectedMessage, UsageSample
from usage.wire import Limits

pytestmark = [pytest.mark.kafka, pytest.mark.django_db(transaction=True)]
# A broker stamps every message, so the one without a time cannot be sent.
SENDABLE = [row for row in MALFORMED if row[1].timestamp_ms > 0]


def test_each_malformed_message_is_one_rejection_and_the_good_ones_are_stored(kafka_bootstrap: str, topic: str) -> None:
    machine()
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all", max_request_size=2**20)
    for seq, (_, raw, _) in enumerate(SENDABLE):
        producer.send(topic, value=raw.value, key=raw.key, headers=list(raw.headers), timestamp_ms=NOW_MS, partition=0)
        producer.send(topic, value=json.dumps(body(sample(seq))).encode(), key=b"web-1", headers=V1, partition=0)
    producer.close()

    with mock.patch("usage.worker.Limits", return_value=Limits(NOW_MS, 35 * DAY_MS)):
        total = drain(kafka_bootstrap, topic)

    assert len(SENDABLE) >= 30
    assert (total.stored, total.duplicate, total.rejected) == (len(SENDABLE), 0, len(SENDABLE))
    reasons = list(RejectedMessage.objects.order_by("offset").values_list("reason", flat=True))
    assert reasons == [row[2] for row in SENDABLE]
    assert UsageSample.objects.count() == len(SENDABLE)
    assert [difference for check in checks() for difference in check.differences] == []
