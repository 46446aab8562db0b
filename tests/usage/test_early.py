"""What came before its time is stored once its time has come, by itself, and never before."""

from datetime import timedelta

import pytest
import time_machine

from tests.cast import a_customer, a_machine
from tests.usage.build import LIMITS, NOW_MS, TOPIC_ID, body, offset_row, raw, sample
from usage.early import lead, store_due
from usage.ingest import store
from usage.models import RejectedMessage, UsageSample
from usage.offsets import Position
from usage.periods import from_ms

pytestmark = pytest.mark.django_db
HOUR_MS = 3_600_000


def an_hour_ahead(**of: object) -> None:
    """A message of a machine whose clock is an hour ahead, refused at NOW_MS."""
    offset_row()
    a_machine(a_customer(), "web-1")
    start = NOW_MS + HOUR_MS - 10_000
    with time_machine.travel(from_ms(NOW_MS), tick=False):
        store(Position("resource_usage", TOPIC_ID, 0, 0), [raw(body(sample(0, start=start, end=start + 10_000, **of)))], LIMITS)
    assert RejectedMessage.objects.get().reason == "in_future"


def after(minutes: int) -> int:
    with time_machine.travel(from_ms(NOW_MS) + timedelta(minutes=minutes), tick=False):
        return store_due()


def test_it_waits_for_its_time_and_then_counts_once() -> None:
    an_hour_ahead()

    assert [after(minutes) for minutes in (30, 59, 61, 62)] == [0, 0, 1, 0]
    row = RejectedMessage.objects.get()
    assert (row.state, row.resolution, row.resolved_by) == ("replayed", "1 sample stored, its time having come", None)
    assert UsageSample.objects.get().end_ms == NOW_MS + HOUR_MS


def test_what_is_wrong_in_another_way_too_waits_for_a_person() -> None:
    an_hour_ahead()
    a_machine(a_customer("globex"), "web-9")
    RejectedMessage.objects.update(key=b"web-9")

    assert [after(61), after(62)] == [0, 0]
    row = RejectedMessage.objects.get()
    assert (row.state, row.replays) == ("open", 1)
    assert row.last_refusal.startswith("foreign_machine")


def test_a_refusal_that_names_no_time_is_never_due() -> None:
    assert lead("sample 3 ends 12 s after the server's clock") == timedelta(seconds=13)
    assert lead("something else") > timedelta(days=36_000)
