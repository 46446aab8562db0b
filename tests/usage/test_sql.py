"""The statements of ingest, where an engine could answer otherwise than the other."""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from tests.usage.build import LIMITS, NOW_MS, STREAM, TOPIC_ID, body, machine, offset_row, paper, raw, sample
from usage import sql
from usage.classify import Decoded
from usage.ingest import store
from usage.models import Machine, UsageSample
from usage.offsets import Position
from usage.portions import Portion
from usage.wire import Row, identity_stream

pytestmark = pytest.mark.django_db


def _row(seq: int, **changes: int) -> Row:
    return Row(seq, NOW_MS - 10_000, NOW_MS, 10_000, 1, 1, 1, 1, 1, 1, 1, 1)._replace(**changes)


def _portion(machine_pk: int, *rows: Row) -> Portion:
    item = Decoded(raw(b""))
    return Portion(machine_pk, STREAM, 1, list(rows), [(item, [row]) for row in rows])


def test_rows_that_are_there_already_are_left_out_and_the_others_inserted() -> None:
    pk = machine().pk
    sql.insert_samples([_portion(pk, _row(1))], "default")

    inserted = sql.insert_samples([_portion(pk, *map(_row, range(4)))], "default")

    assert [row.seq for portion in inserted for row in portion.rows] == [0, 2, 3]
    assert [len(portion.messages) for portion in inserted] == [3]
    assert UsageSample.objects.count() == 4


def test_a_row_that_breaks_a_rule_of_the_table_is_an_error_that_ingest_knows() -> None:
    pk = machine().pk

    with pytest.raises(IntegrityError), transaction.atomic():
        sql.insert_samples([_portion(pk, _row(0), _row(1, cpu_ms=-1))], "default")

    assert not UsageSample.objects.exists()


def test_runs_are_found_by_machine_and_stream_together() -> None:
    other = uuid.UUID(int=7)
    runs = {(1, STREAM): [(0, 5), (7, 9)], (2, STREAM): [(0, 3)], (1, other): [(4, 6)]}
    sql.save_runs({}, runs, "default")

    found = sql.load_runs({(1, STREAM), (2, other), (1, other)}, "default")

    assert {key: known.pairs() for key, known in found.items()} == {(1, STREAM): [(0, 5), (7, 9)], (1, other): [(4, 6)]}


def test_a_machine_remembers_its_newest_sample_and_the_size_that_it_told() -> None:
    one, two = machine("web-1"), machine("web-2")
    sql.see_machines({one.pk: (2_000, 8, 1024, -40), two.pk: (1_000, 4, 512, 7)}, "default")

    sql.see_machines({one.pk: (1_999, 1, 1, 9), two.pk: (3_000, 0, 0, None)}, "default")

    seen = Machine.objects.order_by("code").values_list("last_seen_ms", "cores", "memory_mib", "clock_skew_ms")
    assert list(seen) == [(2_000, 8, 1024, -40), (3_000, 4, 512, 7)]


def test_a_sample_cannot_take_the_place_of_a_reading_in_its_batch() -> None:
    machine()
    offset_row()
    reading = paper({"machine_id": "web-1", "cpu_usage": 37.5, "memory_usage": 61.2}, offset=0)
    forged = raw(body(sample(0), stream=str(identity_stream(TOPIC_ID, 0))), offset=1)

    result = store(Position("resource_usage", TOPIC_ID, 0, 0), [reading, forged], LIMITS)

    assert (result.stored, result.rejected) == (1, 1)
    assert UsageSample.objects.get().cpu_upct == 37_500_000


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_a_batch_of_more_machines_than_the_server_has_locks_is_no_outage() -> None:
    owner = machine().customer
    made = Machine.objects.bulk_create(Machine(customer=owner, code=f"m-{number}") for number in range(10_000))

    with transaction.atomic():
        sql.lock_machines([one.pk for one in made], "default")

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")
            assert cursor.fetchone()[0] < 100
