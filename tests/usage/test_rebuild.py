"""Quarter hours are mended from their samples, also while a worker goes on storing."""

import io
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.usage.build import DAY_MS, LIMITS, NOW_MS, STREAM, TOPIC_ID, body, machine, offset_row, raw, sample
from usage.audit import checks
from usage.ingest import store
from usage.models import IngestOffset, PrunedUsage, UsageBucket
from usage.offsets import Position
from usage.rebuild import rebuild

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = NOW_MS - 3_600_000


def _store(*seqs: int) -> None:
    at = IngestOffset.objects.get().next_offset
    records = [raw(body(sample(seq)), offset=at + number) for number, seq in enumerate(seqs)]
    store(Position("resource_usage", TOPIC_ID, 0, at), records, LIMITS)


def _run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rebuild_buckets", *arguments, stdout=out)
    return out.getvalue()


def _differences() -> list[str]:
    return [difference for check in checks() for difference in check.differences]


@pytest.fixture(autouse=True)
def _books() -> None:
    machine()
    offset_row()
    _store(*range(200))


def test_it_shows_what_differs_and_mends_it_only_when_told() -> None:
    UsageBucket.objects.filter(start_ms=HOUR).update(cpu_ms=1)
    UsageBucket.objects.filter(start_ms=HOUR + 900_000).delete()
    UsageBucket.objects.create(machine=machine(), start_ms=HOUR - 900_000, cpu_ms=5)

    shown, before = _run(), len(_differences())
    mended = _run("--apply", "--machine", "web-1")

    assert "3 quarter hours differ; --apply mends them" in shown
    assert before == 3
    assert "3 quarter hours mended" in mended
    assert _differences() == []
    assert UsageBucket.objects.get(start_ms=HOUR).cpu_ms == 900_000


def test_nothing_differs_and_nothing_is_written() -> None:
    assert _run("--apply") == "0 quarter hours mended\n"


def test_another_day_is_left_alone() -> None:
    UsageBucket.objects.filter(start_ms=HOUR).update(cpu_ms=1)

    assert _run("--to", "2026-11-30", "--apply") == "0 quarter hours mended\n"
    assert "1 quarter hours mended" in _run("--from", "2026-11-30", "--to", "2026-12-01", "--apply")


def test_a_day_whose_samples_were_pruned_is_named_and_left_alone() -> None:
    PrunedUsage.objects.create(machine=machine(), stream=STREAM, day_ms=NOW_MS - NOW_MS % DAY_MS, covered_ms=1, samples=1)

    with pytest.raises(CommandError, match="1 days differ whose samples were pruned"):
        _run("--apply")

    assert UsageBucket.objects.get(start_ms=HOUR).cpu_ms == 900_000


def test_a_machine_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="no machine 'web-9'"):
        _run("--machine", "web-9")


def test_it_mends_while_a_worker_stores() -> None:
    UsageBucket.objects.filter(start_ms=HOUR).update(cpu_ms=1)
    started = threading.Event()

    def work() -> None:
        for seq in range(200, 260):
            _store(seq)
            started.set()
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    started.wait(30)
    while worker.is_alive():
        rebuild(machine())
    worker.join()

    assert _differences() == []
    assert sum(UsageBucket.objects.values_list("samples", flat=True)) == 260
