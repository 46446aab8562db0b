"""Machines that fell silent are told once for each silence."""

import pytest
from django.utils.timezone import now

from accounts.models import Notice
from tests.cast import a_customer, a_machine
from usage import silences
from usage.models import AgentState, Machine

pytestmark = pytest.mark.django_db
NOW_MS = 1_764_000_000_000
MINUTE_MS = 60_000


def test_machines_that_fell_silent_share_a_notice_and_are_told_once() -> None:
    acme = a_customer()
    for code, minutes in (("gone-1", 16), ("gone-2", 90), ("here", 14), ("long-gone", 25 * 60)):
        a_machine(acme, code, last_seen_ms=NOW_MS - minutes * MINUTE_MS)
    a_machine(acme, "never")

    assert [silences.tell(NOW_MS), silences.tell(NOW_MS)] == [1, 0]
    assert [one["code"] for one in Notice.objects.get().facts] == ["gone-1", "gone-2"]


def test_a_machine_that_came_back_and_fell_silent_again_is_told_again() -> None:
    a_machine(a_customer(), "web-1", last_seen_ms=NOW_MS - 16 * MINUTE_MS)
    silences.tell(NOW_MS)
    Machine.objects.update(last_seen_ms=NOW_MS)

    assert silences.tell(NOW_MS + 10 * MINUTE_MS) == 0
    assert silences.tell(NOW_MS + 16 * MINUTE_MS) == 1


def test_a_paused_agent_and_a_retired_machine_are_meant_to_be_silent() -> None:
    acme = a_customer()
    paused = a_machine(acme, "paused", last_seen_ms=NOW_MS - 16 * MINUTE_MS)
    AgentState.objects.create(machine=paused, at=now(), state="paused")
    a_machine(acme, "retired", last_seen_ms=NOW_MS - 16 * MINUTE_MS, retired_at="2025-01-01T00:00:00Z")

    assert silences.tell(NOW_MS) == 0
