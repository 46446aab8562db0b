"""One batch, one transaction: what is stored, what is not, and that it adds up."""

import threading
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction
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
from usage import ingest, sql
from usage.desk import discard_rejected, raw_of, replay_rejected
from usage.ingest import BatchResult, PoisonGuard, TooMuchPoison, store
from usage.models import IngestIncident, IngestOffset, Machine, RejectedMessage, StreamRun, UsageBucket, UsageSample
from usage.offsets import LostOwnership, Position
from usage.wire import Limits, RawMessage
from usage.wire_errors import Refused

pytestmark = pytest.mark.django_db


def _at(next_offset: int) -> Position:
    return Position("resource_usage", TOPIC_ID, 0, next_offset)


def _counts(result: BatchResult) -> tuple[int, int, int, int]:
    return result.stored, result.duplicate, result.rejected, result.skipped


@pytest.fixture
def books() -> IngestOffset:
    machine()
    return offset_row()


@pytest.mark.usefixtures("books")
def test_a_batch_becomes_samples_buckets_runs_and_the_next_offset() -> None:
    records = [raw(body(sample(0), sample(1)), offset=0), raw(body(sample(2)), offset=1)]

    result = store(_at(0), records, LIMITS)

    assert _counts(result) == (2, 0, 0, 0)
    assert UsageSample.objects.count() == 3
    bucket = UsageBucket.objects.get()
    assert (bucket.start_ms, bucket.samples, bucket.covered_ms, bucket.cpu_ms) == (NOW_MS - 3_600_000, 3, 30_000, 30_000)
    assert list(StreamRun.objects.values_list("stream", "lo", "hi")) == [(STREAM, 0, 3)]
    row = IngestOffset.objects.get()
    assert (row.next_offset, row.stored, row.samples_stored) == (2, 2, 3)
    seen = Machine.objects.get()
    assert (seen.cores, seen.memory_mib, seen.last_seen_ms) == (8, 32_768, NOW_MS - 3_600_000 + 30_000)


@pytest.mark.usefixtures("books")
def test_the_same_message_at_another_offset_is_a_duplicate_and_adds_nothing() -> None:
    store(_at(0), [raw(body(sample(0)), offset=0)], LIMITS)

    result = store(_at(1), [raw(body(sample(0)), offset=1), raw(body(sample(0), sample(1)), offset=2)], LIMITS)

    assert _counts(result) == (1, 1, 0, 0)
    assert (result.samples_stored, result.samples_duplicate) == (1, 2)
    assert UsageBucket.objects.get().cpu_ms == 20_000


@pytest.mark.usefixtures("books")
def test_a_pruned_sample_is_still_a_duplicate() -> None:
    store(_at(0), [raw(body(sample(0)), offset=0)], LIMITS)
    UsageSample.objects.all().delete()

    result = store(_at(1), [raw(body(sample(0)), offset=1)], LIMITS)

    assert _counts(result) == (0, 1, 0, 0)
    assert UsageBucket.objects.get().cpu_ms == 10_000


@pytest.mark.usefixtures("books")
def test_the_unique_key_stands_where_the_runs_forgot() -> None:
    store(_at(0), [raw(body(sample(0)), offset=0)], LIMITS)
    StreamRun.objects.all().delete()

    result = store(_at(1), [raw(body(sample(0), sample(1)), offset=1)], LIMITS)

    assert (result.samples_stored, result.samples_duplicate) == (1, 1)
    assert UsageBucket.objects.get().cpu_ms == 20_000


@pytest.mark.usefixtures("books")
def test_a_stored_offset_cannot_be_stored_again() -> None:
    store(_at(0), [raw(body(sample(0)), offset=0)], LIMITS)

    with pytest.raises(LostOwnership):
        store(_at(0), [raw(body(sample(5)), offset=0)], LIMITS)

    assert UsageSample.objects.count() == 1


@pytest.mark.usefixtures("books")
def test_what_fails_after_the_rows_were_written_leaves_nothing() -> None:
    with mock.patch.object(ingest, "_move_offset", side_effect=LostOwnership("gone")), pytest.raises(LostOwnership):
        store(_at(0), [raw(body(sample(0)), offset=0), raw(b"no", offset=1)], LIMITS)

    for model in (UsageSample, UsageBucket, StreamRun, RejectedMessage):
        assert not model._default_manager.exists()
    assert IngestOffset.objects.get().next_offset == 0


@pytest.mark.usefixtures("books")
def test_the_same_sample_with_other_content_is_refused_whole_and_raises_an_alarm() -> None:
    store(_at(0), [raw(body(sample(0)), offset=0)], LIMITS)

    result = store(_at(1), [raw(body(sample(0, cpu_ms=1), sample(1)), offset=1)], LIMITS)

    assert _counts(result) == (0, 0, 1, 0)
    assert RejectedMessage.objects.get().reason == "equivocation"
    assert IngestIncident.objects.get().kind == "equivocation"
    assert UsageSample.objects.count() == 1


@pytest.mark.usefixtures("books")
def test_samples_out_of_order_leave_a_hole_until_it_is_filled() -> None:
    store(_at(0), [raw(body(sample(2)), offset=0), raw(body(sample(0)), offset=1)], LIMITS)
    holed = list(StreamRun.objects.order_by("lo").values_list("lo", "hi"))

    store(_at(2), [raw(body(sample(1)), offset=2)], LIMITS)

    assert holed == [(0, 1), (2, 3)]
    assert list(StreamRun.objects.values_list("lo", "hi")) == [(0, 3)]


@pytest.mark.usefixtures("books")
def test_two_streams_of_one_machine_do_not_hide_each_other() -> None:
    later = sample(1) | {"seq": 0}
    records = [raw(body(sample(0)), offset=0), raw(body(later, stream=str(OTHER_STREAM)), offset=1)]

    assert _counts(store(_at(0), records, LIMITS)) == (2, 0, 0, 0)


@pytest.mark.usefixtures("books")
def test_offsets_without_a_message_are_counted_as_skipped() -> None:
    result = store(_at(0), [raw(body(sample(0)), offset=3), raw(body(sample(1)), offset=7)], LIMITS)

    assert _counts(result) == (2, 0, 0, 6)
    assert IngestOffset.objects.get().next_offset == 8


@pytest.mark.usefixtures("books")
def test_a_refused_message_keeps_its_bytes_and_good_ones_beside_it_are_stored() -> None:
    records = [raw(body(sample(0)), offset=0), raw(b"\x00\xff", offset=1), raw(body(sample(1)), offset=2)]

    result = store(_at(0), records, LIMITS)

    assert _counts(result) == (2, 0, 1, 0)
    kept = RejectedMessage.objects.get()
    assert (kept.offset, kept.reason, bytes(kept.value), bytes(kept.key)) == (1, "not_json", b"\x00\xff", b"web-1")
    assert kept.headers[2] == ["ce_type", "Y29yZWhvdXIudXNhZ2UudjE="]


@pytest.mark.usefixtures("books")
def test_an_unknown_and_a_retired_machine_are_refused() -> None:
    retired = machine("old-1", retired_at=now().replace(year=2020))
    other = (("ce_type", b"corehour.usage.v1"),)
    records = [
        raw(body(machine="web-9"), offset=0, key=b"web-9", headers=other),
        raw(body(machine="old-1"), offset=1, key=b"old-1", headers=other),
    ]

    store(_at(0), records, LIMITS)

    assert list(RejectedMessage.objects.order_by("offset").values_list("reason", flat=True)) == [
        "unknown_machine",
        "retired_machine",
    ]
    assert retired.samples.count() == 0


@pytest.mark.usefixtures("books")
def test_the_papers_readings_add_percent_and_no_core_hours() -> None:
    reading = {"machine_id": "web-1", "cpu_usage": 37.5, "memory_usage": 61.2}

    result = store(_at(0), [paper(reading, offset=0), paper(reading, offset=1)], LIMITS)

    assert _counts(result) == (2, 0, 0, 0)
    bucket = UsageBucket.objects.get()
    assert (bucket.cpu_upct, bucket.memory_upct, bucket.samples) == (75_000_000, 122_400_000, 2)
    assert (bucket.cpu_ms, bucket.covered_ms) == (0, 0)
    assert not StreamRun.objects.exists()


@pytest.mark.usefixtures("books")
def test_a_record_that_the_database_refuses_is_found_and_the_rest_is_stored() -> None:
    real = sql.insert_samples

    def refuse(new: Any, using: str, meanwhile: Any) -> Any:
        if any(row.seq == 5 for portion in new for row in portion.rows):
            raise IntegrityError("planted")
        return real(new, using, meanwhile)

    records = [raw(body(sample(seq)), offset=seq) for seq in range(9)]
    with mock.patch.object(sql, "insert_samples", refuse):
        result = store(_at(0), records, LIMITS)

    assert _counts(result) == (8, 0, 1, 0)
    assert RejectedMessage.objects.get().offset == 5
    assert UsageBucket.objects.get().cpu_ms == 80_000


@pytest.mark.usefixtures("books")
def test_more_than_a_hundred_messages_that_raise_in_a_row_stop_the_worker() -> None:
    guard = PoisonGuard()
    records = [raw(body(sample(seq)), offset=seq) for seq in range(150)]

    with mock.patch("usage.batch.plain", side_effect=ZeroDivisionError("bad deploy")):
        store(_at(0), records[:60], LIMITS, guard)
        with pytest.raises(TooMuchPoison, match="fault of this version"):
            store(_at(60), records[60:], LIMITS, guard)

    assert RejectedMessage.objects.filter(reason="poison").count() == 60
    assert IngestOffset.objects.get().next_offset == 60


@pytest.mark.usefixtures("books")
def test_a_bucket_beyond_what_eight_bytes_hold_is_refused_not_rounded() -> None:
    store(_at(0), [raw(body(sample(0)), offset=0)], LIMITS)
    UsageBucket.objects.update(net_rx=2**51 - 500)

    result = store(_at(1), [raw(body(sample(1)), offset=1)], LIMITS)

    assert _counts(result) == (0, 0, 1, 0)
    assert UsageBucket.objects.get().net_rx == 2**51 - 500


@pytest.mark.django_db
class TestDesk:
    @pytest.fixture
    def person(self) -> User:
        return User.objects.create_user("op@example.com")

    @pytest.fixture
    def rejected(self) -> RejectedMessage:
        offset_row()
        store(_at(0), [raw(body(sample(0), sample(1)))], LIMITS)
        return RejectedMessage.objects.get()

    def test_a_replay_stores_what_the_message_held_once(self, rejected: RejectedMessage, person: User) -> None:
        machine()

        row = replay_rejected(rejected.pk, person, LIMITS)

        assert (row.state, row.resolution, row.replayed_samples) == ("replayed", "2 samples stored", 2)
        assert UsageSample.objects.count() == 2
        with pytest.raises(Refused, match="replayed before"):
            replay_rejected(rejected.pk, person, LIMITS)

    def test_a_replay_that_is_refused_again_changes_nothing(self, rejected: RejectedMessage, person: User) -> None:
        with pytest.raises(Refused, match="unknown_machine"):
            replay_rejected(rejected.pk, person, LIMITS)

        assert RejectedMessage.objects.get().state == "open"

    def test_usage_that_was_too_old_is_admitted_by_a_replay(self, person: User) -> None:
        machine()
        offset_row()
        late = Limits(NOW_MS + 40 * DAY_MS, 35 * DAY_MS)
        store(_at(0), [raw(body(sample(0)))], late)

        row = replay_rejected(RejectedMessage.objects.get(reason="too_old").pk, person, Limits(late.now_ms, 10**15))

        assert row.replayed_samples == 1

    def test_a_discarded_message_needs_a_reason_and_stays_discarded(self, rejected: RejectedMessage, person: User) -> None:
        row = discard_rejected(rejected.pk, person, "A test machine")

        assert (row.state, row.resolution, row.resolved_by) == ("discarded", "A test machine", person)
        with pytest.raises(Refused, match="discarded before"):
            discard_rejected(rejected.pk, person, "again")


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_with_the_same_batch_one_writes_and_one_is_fenced() -> None:
    machine()
    offset_row()
    records = [raw(body(sample(seq)), offset=seq) for seq in range(50)]
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        try:
            store(_at(0), records, LIMITS)
            outcomes.append("stored")
        except LostOwnership:
            outcomes.append("fenced")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["fenced", "stored"]
    assert UsageBucket.objects.get().samples == 50


def test_the_books_must_add_up() -> None:
    offset_row()

    with pytest.raises(IntegrityError), transaction.atomic():
        IngestOffset.objects.update(next_offset=5)


def test_raw_bytes_survive_the_desk(books: IngestOffset) -> None:
    message = RawMessage("resource_usage", TOPIC_ID, 0, 0, NOW_MS, b"\xffkey", b"\x00", (("x", b"\xfe"),))
    store(_at(0), [message], LIMITS)

    assert raw_of(RejectedMessage.objects.get()) == message
