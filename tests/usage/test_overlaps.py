"""Two streams of one machine: never billed twice for the same time, and never in the way of a new spool."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from accounts.models import User
from tests.usage.build import (
    DAY_MS,
    LIMITS,
    NOW_MS,
    OTHER_STREAM,
    STREAM,
    TOPIC_ID,
    body,
    machine,
    offset_row,
    paper,
    raw,
    sample,
)
from usage import sql
from usage.audit import checks
from usage.desk import replay_rejected
from usage.ingest import store
from usage.models import IngestIncident, IngestOffset, MachineStream, PrunedUsage, RejectedMessage, UsageBucket, UsageSample
from usage.offsets import Position
from usage.overlaps import contested
from usage.periods import BUCKET_MS
from usage.wire_errors import Refused

pytestmark = pytest.mark.django_db
THIRD_STREAM = uuid.UUID("0192f1e4-0000-7000-8000-000000000003")
HOUR = NOW_MS - 3_600_000


@pytest.fixture(autouse=True)
def _books() -> None:
    machine()
    offset_row()


def _store(*contents: dict[str, Any]) -> list[str]:
    """Store messages behind what is there. Return the reasons of those refused so far."""
    at = IngestOffset.objects.get().next_offset
    store(
        Position("resource_usage", TOPIC_ID, 0, at),
        [raw(content, offset=at + number) for number, content in enumerate(contents)],
        LIMITS,
    )
    return list(RejectedMessage.objects.order_by("offset").values_list("reason", flat=True))


def _clone(start: int, end: int, seq: int = 0, **changes: Any) -> dict[str, Any]:
    fields = {"stream": str(OTHER_STREAM)} | changes
    return body(sample(seq, start=start, end=end, cpu_ms=1, memory_mib_ms=1), **fields)


def test_a_copied_machine_is_refused_and_the_first_ones_time_is_billed_once() -> None:
    reasons = _store(body(sample(0), sample(1)), _clone(HOUR + 10_000, HOUR + 20_000))

    assert reasons == ["overlap"]
    assert UsageBucket.objects.get().covered_ms == 20_000
    refused = RejectedMessage.objects.get()
    assert (refused.stream, refused.seq_lo, refused.seq_hi) == (OTHER_STREAM, 0, 1)
    assert f"10000 ms of its time were metered by stream {STREAM}" in refused.detail


def test_it_is_found_out_in_a_later_batch_too_and_whichever_stream_comes_second_is_refused() -> None:
    _store(_clone(HOUR, HOUR + 10_000))

    reasons = _store(body(sample(0), sample(1)), body(sample(2)))

    assert reasons == ["overlap"]
    assert UsageBucket.objects.get().covered_ms == 20_000


def test_a_machine_is_never_billed_for_more_than_passed() -> None:
    for seq in range(90):
        start = HOUR + seq * 10_000
        _store(body(sample(seq)), _clone(start + 3_000, start + 13_000, seq), body(sample(seq, start=start, end=start + 10_000)))

    assert max(UsageBucket.objects.values_list("covered_ms", flat=True)) == BUCKET_MS
    assert [difference for check in checks() for difference in check.differences] == []


def test_a_new_spool_that_begins_a_moment_early_is_no_copy() -> None:
    reasons = _store(body(sample(0)), _clone(HOUR + 9_000, HOUR + 19_000), _clone(HOUR + 19_000, HOUR + 29_000, 1))

    assert reasons == []
    assert UsageBucket.objects.get().samples == 3


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (9_000, 19_000, []),  # A tenth of it, a second: the most that two readings of clocks explain.
        (8_999, 18_999, ["overlap"]),
        (9_900, 10_900, []),
        (9_899, 10_899, ["overlap"]),
        (9_500, 9_600, ["overlap"]),
        (8_000, 68_000, ["overlap"]),
        (-5_000, 0, []),
        (10_000, 20_000, []),
    ],
)
def test_what_a_handover_explains(start: int, end: int, expected: list[str]) -> None:
    assert _store(body(sample(0)), _clone(HOUR + start, HOUR + end)) == expected


def test_one_streams_own_leaping_clock_is_not_its_neighbour() -> None:
    assert _store(body(sample(0)), body(sample(1, start=HOUR, end=HOUR + 10_000))) == []


def test_readings_of_version_0_have_no_time_to_share() -> None:
    at = IngestOffset.objects.get().next_offset
    reading = paper({"machine_id": "web-1", "cpu_usage": 37.5, "memory_usage": 61.2}, offset=at, timestamp_ms=HOUR + 5_000)
    store(Position("resource_usage", TOPIC_ID, 0, at), [reading], LIMITS)

    assert _store(body(sample(0))) == []


def test_a_message_sent_again_is_a_duplicate_and_no_overlap() -> None:
    _store(body(sample(0)), _clone(HOUR + 20_000, HOUR + 30_000))

    assert _store(body(sample(0)), _clone(HOUR + 20_000, HOUR + 30_000)) == []
    assert IngestOffset.objects.get().duplicate == 2


def test_the_alarm_is_one_row_that_counts_until_somebody_has_seen_it() -> None:
    _store(body(sample(0)), _clone(HOUR, HOUR + 10_000), _clone(HOUR, HOUR + 10_000, 1))
    _store(_clone(HOUR, HOUR + 10_000, 2))
    first = IngestIncident.objects.get()
    IngestIncident.objects.update(acknowledged_at=now() - timedelta(minutes=1))

    _store(_clone(HOUR, HOUR + 10_000, 3))

    assert (first.kind, first.machine_code, first.count) == ("overlap", "web-1", 3)
    assert list(IngestIncident.objects.order_by("pk").values_list("count", flat=True)) == [3, 1]


def test_an_operator_may_admit_it_and_nothing_else_does() -> None:
    _store(body(sample(0)), _clone(HOUR, HOUR + 10_000))
    row, person = RejectedMessage.objects.get(), User.objects.create_user("op@example.com")
    with pytest.raises(Refused, match="metered by stream"):
        replay_rejected(row.pk, person, LIMITS)

    row = replay_rejected(row.pk, person, LIMITS, admit_overlap=True)

    assert (row.state, row.resolution, row.replays) == ("replayed", "1 sample stored, overlap admitted", 2)
    assert UsageBucket.objects.get().covered_ms == 20_000


def test_time_of_a_pruned_day_of_another_stream_is_refused_because_nobody_can_tell() -> None:
    web = machine()
    _store(body(sample(0)))
    UsageSample.objects.all().delete()
    PrunedUsage.objects.create(machine=web, stream=STREAM, day_ms=HOUR - HOUR % DAY_MS, covered_ms=10_000, samples=1)

    assert _store(_clone(HOUR + 20_000, HOUR + 30_000)) == ["overlap"]
    assert _store(_clone(HOUR - DAY_MS, HOUR - DAY_MS + 10_000, 1)) == ["overlap"]


def test_streams_remember_their_quarter_hours_and_what_came_late() -> None:
    _store(body(sample(0)), body(sample(100)))
    _store(body(sample(1, start=HOUR - 7_200_000, end=HOUR - 7_190_000)))

    row = MachineStream.objects.get()
    assert (row.since_ms, row.until_ms, row.late_samples) == (HOUR - 7_200_000, HOUR + 2 * BUCKET_MS, 1)


def test_only_machines_whose_streams_meet_are_looked_at() -> None:
    known = {(1, STREAM): (0, 900), (2, STREAM): (0, 900), (2, OTHER_STREAM): (0, 900), (3, STREAM): (0, 900)}
    fresh = {(1, STREAM): (900, 1_800), (2, STREAM): (900, 1_800), (3, THIRD_STREAM): (800, 1_000), (4, STREAM): (0, 900)}

    assert contested(fresh, known) == {3: (800, 1_000)}


def test_an_ordinary_batch_asks_for_no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = sql.load_metered

    def load(machines: Any, using: str) -> Any:
        asked.append(machines)
        return real(machines, using)

    monkeypatch.setattr(sql, "load_metered", load)

    _store(body(sample(0)), body(sample(1)))

    assert asked == [{}]
