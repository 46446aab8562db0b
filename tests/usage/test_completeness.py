"""What arrived, what is missing, and what lets an agent forget: for agents, customers and operators."""

import uuid
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now

from accounts.models import Customer
from tests.cast import a_customer, a_machine, a_member, signed_in, with_key
from tests.usage.build import LIMITS, NOW_MS, OTHER_STREAM, STREAM, TOPIC_ID, body, offset_row, raw, sample
from usage.completeness import clock_of, completeness, needing, streams, summaries, watermark
from usage.ingest import store
from usage.models import IngestIncident, IngestOffset, Machine, RejectedMessage, StreamRun
from usage.offsets import Position
from usage.periods import Period, from_ms

pytestmark = pytest.mark.django_db
HOUR = NOW_MS - 3_600_000
DAY = Period(from_ms(NOW_MS - NOW_MS % 86_400_000), from_ms(NOW_MS - NOW_MS % 86_400_000 + 86_400_000))


@pytest.fixture
def acme() -> Customer:
    cache.clear()
    return a_customer()


@pytest.fixture
def web(acme: Customer) -> Machine:
    offset_row()
    return a_machine(acme, created_at=from_ms(HOUR))


def _store(*contents: Any, **changes: Any) -> None:
    at = IngestOffset.objects.get().next_offset
    records = [raw(content, offset=at + number, **changes) for number, content in enumerate(contents)]
    store(Position("resource_usage", TOPIC_ID, 0, at), records, LIMITS)


def test_what_never_came_and_what_is_refused_are_told_apart(web: Machine) -> None:
    refused = sample(3, cpu_ms=10**9)
    _store(body(sample(0), sample(1)), body(refused), body(sample(5)), body(sample(9)))

    (state,) = streams(web)

    assert (state.received, state.highest, state.watermark) == (4, 9, 2)
    assert (state.missing, state.missing_samples) == ([(2, 3), (4, 5), (6, 9)], 5)
    assert (state.refused, state.refused_samples) == ([(3, 4)], 1)


def test_the_watermark_passes_over_what_is_refused_for_good(web: Machine) -> None:
    _store(body(sample(0)), body(sample(1, cpu_ms=10**9)), body(sample(2)))
    passed = watermark(web, STREAM)
    _store(body(sample(4)))

    assert (passed, watermark(web, STREAM)) == (3, 3)
    assert watermark(web, OTHER_STREAM) == 0


def test_the_watermark_stays_where_a_stranger_could_have_written(web: Machine) -> None:
    """Whoever forges a message must not make the agent forget what it has not delivered."""
    _store(body(sample(0)), body(sample(1)), headers=(("ce_type", b"corehour.usage.v1"), ("ce_source", b"/machines/db-1")))

    assert set(RejectedMessage.objects.values_list("reason", "seq_hi")) == {("foreign_machine", 1), ("foreign_machine", 2)}
    assert watermark(web, STREAM) == 0


def test_a_refused_body_without_numbers_in_a_row_moves_nothing(web: Machine) -> None:
    _store(body(sample(0, cpu_ms=10**9), sample(2)), b"no json", body(sample(0), stream="x"))

    assert set(RejectedMessage.objects.values_list("stream", "seq_lo")) == {(None, None)}
    assert watermark(web, STREAM) == 0


def test_coverage_skew_and_late_arrivals_of_a_machine(web: Machine) -> None:
    _store(body(*[sample(seq) for seq in range(180)]), timestamp_ms=NOW_MS + 3_500)
    _store(body(sample(180, start=HOUR - 7_200_000, end=HOUR - 7_190_000)), timestamp_ms=NOW_MS + 9_000)
    web.refresh_from_db()

    found = completeness(web, DAY, NOW_MS)

    assert found.coverage is not None
    assert (web.clock_skew_ms, clock_of(web), found.late_samples) == (3_500, "3.5 s ahead", 1)
    assert found.streams[0].until_ms == HOUR + 1_800_000


@pytest.mark.parametrize(
    ("skew", "said"),
    [
        (None, ""),
        (2_000, ""),
        (2_001, "2.0 s ahead"),
        (-60_000, ""),
        (-60_001, "60.0 s behind, or its messages were under way so long"),
    ],
)
def test_when_a_clock_is_worth_a_word(skew: int | None, said: str) -> None:
    assert clock_of(Machine(clock_skew_ms=skew)) == said


def test_an_operator_finds_the_machines_that_need_a_look(acme: Customer) -> None:
    web, silent, holed, fast = (a_machine(acme, code, last_seen_ms=NOW_MS) for code in ("web-1", "db-1", "db-2", "db-3"))
    Machine.objects.filter(pk=silent.pk).update(last_seen_ms=NOW_MS - 3_600_000)
    StreamRun.objects.create(machine=holed, stream=STREAM, lo=7, hi=9)
    Machine.objects.filter(pk=fast.pk).update(clock_skew_ms=5_000)
    IngestIncident.objects.create(kind="overlap", machine_code="web-1", detail="x")
    IngestIncident.objects.create(kind="overlap", machine_code="db-1", detail="x", acknowledged_at=now())

    found = {show: [machine.code for machine in needing(show, NOW_MS)] for show in ("silent", "holes", "clock", "alarms")}
    lines = {line.row.machine.code: line for line in summaries(needing("all", NOW_MS), DAY, NOW_MS)}

    assert found == {"silent": ["db-1"], "holes": ["db-2"], "clock": ["db-3"], "alarms": ["web-1"]}
    assert (lines["db-2"].holes, lines["web-1"].incidents, lines["db-1"].incidents) == (1, 1, 0)
    assert str(lines["db-1"].row.state) == "silent"
    assert web.code in lines


def test_the_api_tells_its_own_machines_to_members_and_keys(web: Machine, acme: Customer) -> None:
    _store(body(sample(0)), body(sample(2)))
    url = "/api/v1/machines/web-1/completeness/?at__gte=2026-11-30T14:30:00Z&at__lt=2026-11-30T15:30:00Z"

    with time_machine.travel(from_ms(NOW_MS), tick=False):
        answer = with_key(acme).get(url).json()

    assert (answer["machine"], answer["coverage"], answer["start"]) == ("web-1", "0.005555", "2026-11-30T14:30:00Z")
    (stream,) = answer["streams"]
    assert stream["missing"] == [{"first": 1, "end": 2}]
    assert (stream["stream"], stream["watermark"], stream["metered_since"]) == (str(STREAM), 1, "2026-11-30T14:30:00Z")


def test_strangers_find_no_such_machine_and_bad_periods_are_refused(web: Machine, acme: Customer) -> None:
    stranger = signed_in(a_member(a_customer("bolt"), email="bea@bolt.example"))
    key = with_key(acme)
    url = "/api/v1/machines/web-1/completeness/"

    assert (Client().get(url).status_code, stranger.get(url).status_code, key.get(url).status_code) == (401, 404, 200)
    backwards = key.get(f"{url}?at__gte=2026-11-24T14:00:00Z&at__lt=2026-11-24T14:00:00Z")
    assert (backwards.status_code, list(backwards.json()["errors"])) == (400, ["at__lt"])
    long = key.get(f"{url}?at__gte=2025-01-01T00:00:00Z&at__lt=2026-11-24T14:00:00Z")
    assert (long.status_code, list(long.json()["errors"])) == (400, ["at__gte"])


def test_a_stream_of_which_all_was_refused_is_listed(web: Machine) -> None:
    _store(body(sample(4, cpu_ms=10**9), stream=str(uuid.UUID(int=5))))

    (state,) = streams(web)

    assert (state.received, state.highest, state.watermark, state.missing) == (0, 4, 0, [(0, 4)])
