"""Days of samples go, what they prove stays: the books still add up, and an old message is still a duplicate."""

import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.usage.build import DAY_MS, NOW_MS, OTHER_STREAM, STREAM, TOPIC_ID, body, machine, offset_row, paper, raw, sample
from usage import partitions
from usage.audit import checks
from usage.ingest import store
from usage.models import IngestOffset, PrunedUsage, RejectedMessage, StreamRun, UsageBucket, UsageSample
from usage.offsets import Position
from usage.retention import prune
from usage.wire import Limits

pytestmark = pytest.mark.django_db(transaction=True)
ANY_AGE = Limits(NOW_MS, NOW_MS)
TODAY = NOW_MS - NOW_MS % DAY_MS
FIRST = TODAY - 5 * DAY_MS  # 2026-11-25


def _store(*contents: Any) -> IngestOffset:
    at = IngestOffset.objects.get().next_offset
    records = [
        paper(content, offset=at + number, timestamp_ms=content.pop("at"))
        if "machine_id" in content
        else raw(content, offset=at + number)
        for number, content in enumerate(contents)
    ]
    store(Position("resource_usage", TOPIC_ID, 0, at), records, ANY_AGE)
    return IngestOffset.objects.get()


def _three_days() -> list[dict[str, Any]]:
    """A sample an hour for three days, one across each midnight, and a reading a day."""
    made = []
    for seq in range(72):
        start = FIRST + seq * 3_600_000 - 5_000
        made.append(body(sample(seq, start=start, end=start + 10_000, cpu_ms=7, memory_mib_ms=1_001)))
    return made + [
        {"machine_id": "web-1", "cpu_usage": 50, "memory_usage": 25.5, "at": FIRST + day * DAY_MS + 60_000} for day in range(3)
    ]


def _differences() -> list[str]:
    return [difference for check in checks() for difference in check.differences]


@pytest.fixture(autouse=True)
def _books() -> None:
    machine()
    offset_row()


@pytest.fixture(autouse=True)
def _no_days() -> Iterator[None]:
    """No day before today has a partition, before a test and after it; TRUNCATE only empties them."""
    _drop_days()
    yield
    _drop_days()


def _drop_days() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for day in partitions.days():
                if day < TODAY or day > TODAY + 30 * DAY_MS:
                    cursor.execute(f"DROP TABLE {partitions.partition(day)}")


def test_a_day_goes_and_the_books_still_add_up() -> None:
    _store(*_three_days())
    buckets = list(UsageBucket.objects.order_by("start_ms").values())

    done = list(prune(FIRST + 2 * DAY_MS))

    assert [(day.samples, day.machines, day.kept) for day in done] == [(25, 1, []), (25, 1, [])]
    assert UsageSample.objects.count() == 25
    assert UsageSample.objects.filter(end_ms__lt=FIRST + 2 * DAY_MS).count() == 0
    assert list(UsageBucket.objects.order_by("start_ms").values()) == buckets
    assert _differences() == []


def test_a_message_of_a_pruned_day_sent_again_is_a_duplicate() -> None:
    sent = _three_days()
    _store(*sent[:24])
    list(prune(FIRST + DAY_MS))
    cpu = sum(UsageBucket.objects.values_list("cpu_ms", flat=True))

    row = _store(*sent[:24])

    assert (row.stored, row.duplicate, row.rejected) == (24, 24, 0)
    assert sum(UsageBucket.objects.values_list("cpu_ms", flat=True)) == cpu
    assert _differences() == []


def test_late_usage_of_a_pruned_day_is_stored_beside_what_was_and_pruned_in_its_turn() -> None:
    _store(*_three_days()[:24])
    list(prune(FIRST + DAY_MS))

    _store(body(sample(200, start=FIRST + 1_000_000, end=FIRST + 1_010_000)))
    between = _differences()
    done = list(prune(FIRST + DAY_MS))

    assert (between, _differences()) == ([], [])
    assert [day.samples for day in done] == [1]
    assert sum(PrunedUsage.objects.values_list("samples", flat=True)) == 25


def test_a_day_whose_quarter_hours_differ_stays_and_is_named() -> None:
    _store(*_three_days())
    damaged = UsageBucket.objects.filter(start_ms__gte=FIRST + DAY_MS).order_by("start_ms")[4]
    UsageBucket.objects.filter(pk=damaged.pk).update(cpu_ms=damaged.cpu_ms + 1)

    done = list(prune(FIRST + 3 * DAY_MS))

    assert [bool(day.kept) for day in done] == [False, True, True]  # The third day's first sample begins in the second.
    assert "stored" in str(done[1])
    assert UsageSample.objects.count() == 50
    assert len(_differences()) == 1


def test_a_dry_run_deletes_nothing() -> None:
    _store(*_three_days())

    done = list(prune(FIRST + 3 * DAY_MS, dry_run=True))

    assert [day.samples for day in done] == [25, 25, 25]
    assert UsageSample.objects.count() == 75
    assert not PrunedUsage.objects.exists()


def test_the_audit_names_a_number_that_is_neither_kept_nor_pruned() -> None:
    _store(*_three_days())
    list(prune(FIRST + DAY_MS))
    PrunedUsage.objects.filter(stream=STREAM, day_ms=FIRST).update(samples=22)

    found = _differences()

    assert any("were pruned" in one for one in found)
    assert any("rows and 24 pruned" in one for one in found)
    assert any("day 2026-11-25" in one for one in found)


def test_two_machines_and_streams_are_kept_apart() -> None:
    machine("db-1")
    other = body(sample(0, start=FIRST, end=FIRST + 1_000, cpu_ms=1, memory_mib_ms=1), machine="db-1", stream=str(OTHER_STREAM))
    at = IngestOffset.objects.get().next_offset
    headers = (("ce_type", b"corehour.usage.v1"),)
    store(Position("resource_usage", TOPIC_ID, 0, at), [raw(other, offset=at, key=b"db-1", headers=headers)], ANY_AGE)
    _store(*_three_days()[:24])

    list(prune(FIRST + DAY_MS))

    assert set(PrunedUsage.objects.values_list("machine__code", "stream")) == {("web-1", STREAM), ("db-1", OTHER_STREAM)}
    assert _differences() == []


def test_the_command_keeps_what_may_still_come_in() -> None:
    with pytest.raises(CommandError, match="at least 36 days"):
        call_command("prune_samples", days=35, stdout=io.StringIO())

    out = io.StringIO()
    call_command("prune_samples", days=36, stdout=out)
    assert out.getvalue() == "0 samples pruned\n"


@pytest.mark.skipif("connection.vendor != 'postgresql'")
class TestPartitions:
    def test_a_day_without_a_partition_stops_nothing_and_gets_one_later(self) -> None:
        _store(*_three_days()[:24])
        before = partitions.days()

        made = partitions.empty_default()

        assert FIRST not in before
        assert made == [FIRST]
        assert UsageSample.objects.count() == 24
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {partitions.partition(FIRST)}")  # noqa: S608
            assert cursor.fetchone()[0] == 24
        assert _differences() == []

    def test_a_week_is_made_ahead_once(self) -> None:
        late = NOW_MS + 400 * DAY_MS

        first, again = partitions.make_ahead(late), partitions.make_ahead(late)

        assert len(first) == 8
        assert again == []

    def test_the_second_wall_stands_in_a_made_partition_too(self) -> None:
        partitions.make(FIRST)
        _store(body(sample(0, start=FIRST, end=FIRST + 1_000, cpu_ms=1, memory_mib_ms=1)))
        StreamRun.objects.all().delete()
        row = _store(body(sample(0, start=FIRST, end=FIRST + 1_000, cpu_ms=1, memory_mib_ms=1)))

        assert (row.samples_stored, row.samples_duplicate) == (1, 1)


def test_an_unrelated_refusal_does_not_disturb_pruning() -> None:
    _store(*_three_days()[:24], body(sample(500), stream=str(uuid.uuid4()), machine="web-9"))
    list(prune(FIRST + DAY_MS))

    assert RejectedMessage.objects.count() == 1
    assert _differences() == []
