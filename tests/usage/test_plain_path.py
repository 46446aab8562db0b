"""Streams that are taken whole end in the same tables as when every message is judged, and every sample is added, one by one."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

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
from usage import batch, ingest, wire
from usage.buckets import gains
from usage.classify import classify
from usage.ingest import store
from usage.models import (
    IngestIncident,
    IngestOffset,
    Machine,
    MachineStream,
    RejectedMessage,
    StreamRun,
    UsageBucket,
    UsageSample,
)
from usage.offsets import Position
from usage.portions import take_plain
from usage.wire import RawMessage

pytestmark = pytest.mark.django_db
TABLES = (UsageSample, UsageBucket, StreamRun, MachineStream, IngestOffset, RejectedMessage, IngestIncident, Machine)
OF_THE_MOMENT = {"id", "at", "last_at", "updated_at", "rejected_at", "reference", "created_at"}
HEADERS = (("ce_specversion", b"1.0"), ("ce_type", b"corehour.usage.v1"))


class _Undo(Exception):
    pass


def _one_by_one(patch: pytest.MonkeyPatch) -> None:
    """The reference: the careful reader, every message judged, every sample added for itself."""
    patch.setattr(batch, "decode", wire.decode)
    patch.setattr(ingest, "take_plain", lambda brought, runs, contested: [])
    patch.setattr(ingest, "gains", lambda brought: gains((pk, [row]) for pk, rows in brought for row in rows))


def _story(chance: random.Random) -> Iterator[list[RawMessage]]:
    """Batches as agents make them: mostly what follows; at times again, out of order, contradicting, foreign, or a reading."""
    next_seq = {code: 0 for code in ("web-1", "web-2", "web-3")}
    offset = 0
    for _ in range(chance.randint(2, 4)):
        messages = []
        for _ in range(chance.randint(1, 12)):
            messages.append(_message(chance, next_seq, offset))
            offset += 1
        yield messages


def _message(chance: random.Random, next_seq: dict[str, int], offset: int) -> RawMessage:
    code = chance.choice(list(next_seq))
    kind = chance.choices(["next", "again", "hole", "lie", "reading", "other stream", "nonsense"], [14, 3, 2, 1, 2, 2, 1])[0]
    if kind == "nonsense":
        return raw(b"{", offset=offset, key=code.encode())
    if kind == "reading":
        reading = {"machine_id": code, "cpu_usage": 37.5, "memory_usage": 61.2}
        return paper(reading, offset=offset, timestamp_ms=NOW_MS - chance.randrange(7_200_000))
    first = next_seq[code]
    if kind in ("again", "lie"):
        first = max(0, first - chance.randint(1, 4))
    elif kind == "hole":
        first += chance.randint(1, 3)
    count = chance.randint(1, 5)
    next_seq[code] = max(next_seq[code], first + count)
    lie = {"net_rx": 7} if kind == "lie" else {}
    samples = [_long(seq, **lie) for seq in range(first, first + count)]
    stream = str(OTHER_STREAM if kind == "other stream" else STREAM)
    value = body(*samples, machine=code, stream=stream)
    return raw(value, offset=offset, key=code.encode(), headers=HEADERS, timestamp_ms=NOW_MS - chance.randrange(1_000))


def _long(seq: int, **changes: Any) -> dict[str, Any]:
    """Seven minutes, so that every other one crosses a quarter hour; some are late and some are not."""
    start = NOW_MS - 3 * DAY_MS // 24 + seq * 420_000
    return sample(seq, **({"start": start, "end": start + 420_000} | changes))


def _told(seed: int) -> dict[str, Any]:
    """Store the story; return what became of each batch, and what every table holds."""
    found: dict[str, Any] = {}
    position = 0
    for number, messages in enumerate(_story(random.Random(seed))):
        result = store(Position("resource_usage", TOPIC_ID, 0, position), messages, LIMITS)
        position = messages[-1].offset + 1
        result.new = []
        found[f"batch {number}"] = result
    for model in TABLES:
        names = [field.attname for field in model._meta.concrete_fields if field.attname not in OF_THE_MOMENT]
        found[model.__name__] = sorted(map(str, model._default_manager.values_list(*names)))
    return found


def _told_and_undone(seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        with transaction.atomic():
            found = _told(seed)
            raise _Undo
    except _Undo:
        return found


@pytest.fixture
def machines() -> None:
    for code in ("web-1", "web-2", "web-3"):
        machine(code)
    offset_row()


@pytest.mark.usefixtures("machines")
def test_every_table_is_the_same_whichever_way_a_story_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(60):
        found = _told_and_undone(seed)
        with monkeypatch.context() as patch:
            _one_by_one(patch)
            expected = _told_and_undone(seed)

        assert found == expected, f"seed {seed}"


@pytest.mark.usefixtures("machines")
def test_the_stories_go_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = {"whole": 0, "judged": 0}

    def take(*books: Any) -> Any:
        plain = take_plain(*books)
        ways["whole"] += len(plain)
        return plain

    def judged(rest: Any, *books: Any) -> Any:
        ways["judged"] += len(rest)
        return classify(rest, *books)

    monkeypatch.setattr(ingest, "take_plain", take)
    monkeypatch.setattr(ingest, "classify", judged)
    for seed in range(20):
        _told_and_undone(seed)

    assert ways["whole"] > 50
    assert ways["judged"] > 50
