"""The audit beside a running worker: it judges one moment, whatever is stored meanwhile."""

import contextlib

import pytest
from django.db import connections, transaction

from tests.usage.build import machine
from usage.audit import checks
from usage.models import IngestOffset, Machine, StreamRun

pytestmark = pytest.mark.django_db(transaction=True)
STREAM = "0192f1e4-0000-7000-8000-000000000000"


def _as_a_worker_would(one: Machine) -> None:
    """Commit half a batch, runs without samples, from another connection: an audit that sees it must complain."""
    connections["other"] = connections.create_connection("default")
    try:
        StreamRun.objects.using("other").create(machine=one, stream=STREAM, lo=0, hi=3)
    finally:
        connections["other"].close()
        del connections["other"]


def test_what_is_stored_during_an_audit_is_not_seen_by_half_of_it() -> None:
    one = machine()
    with contextlib.closing(checks()) as audit:
        first = next(audit)

        _as_a_worker_would(one)
        rest = list(audit)

    assert [check.differences for check in (first, *rest)] == [[], [], [], [], []]


def test_the_next_audit_sees_it() -> None:
    _as_a_worker_would(machine())

    differing = [check.name for check in checks() if check.differences]

    assert differing == ["runs"]


def test_inside_a_transaction_the_audit_sees_what_the_transaction_sees() -> None:
    with transaction.atomic():
        IngestOffset.objects.create(topic="t", partition=0, first_offset=0, next_offset=0)

        assert [check.differences for check in checks()] == [[], [], [], [], []]
