"""What goes next, and what an answer means."""

import json
from pathlib import Path

from agent.outbox import Outbox
from agent.spool import Spool
from tests.agent.build import HOST, sample, spool_with


def runs(outbox: Outbox) -> list[tuple[int, int]]:
    """First and last seq of each message that would go now."""
    bodies = [json.loads(message.value)["samples"] for message in outbox.collect()]
    return [(samples[0]["seq"], samples[-1]["seq"]) for samples in bodies]


def test_nothing_waits_nothing_goes(tmp_path: Path) -> None:
    outbox = Outbox("web-1", spool_with(tmp_path, 0))

    assert runs(outbox) == []
    assert outbox.settle([]) == 0


def test_what_was_acknowledged_does_not_go_again_even_after_a_restart(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 3)
    outbox = Outbox("web-1", spool)

    assert runs(outbox) == [(0, 2)]
    assert outbox.settle([True]) == 3
    spool.append(HOST, [sample(3)])
    assert runs(outbox) == [(3, 3)]
    spool.close()

    assert runs(Outbox("web-1", Spool(tmp_path / "spool.sqlite3"))) == [(3, 3)]


def test_everything_from_the_first_that_was_not_acknowledged_goes_again(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 900)
    outbox = Outbox("web-1", spool)
    assert runs(outbox) == [(0, 499), (500, 899)]

    assert outbox.settle([False, True]) == 0
    assert runs(outbox) == [(0, 499), (500, 899)]
    assert outbox.settle([True, False]) == 500
    assert runs(outbox) == [(500, 899)]
    assert outbox.waiting() == 400


def test_a_long_backlog_goes_oldest_first_and_does_not_hold_up_what_is_live(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 5_000)
    outbox = Outbox("web-1", spool)

    first = runs(outbox)
    outbox.settle([True] * len(first))
    spool.append(HOST, [sample(5_000), sample(5_001)])
    second = runs(outbox)

    assert first == [(start, start + 499) for start in range(0, 4_000, 500)]
    assert second == [(4_000, 4_499), (4_500, 4_999), (5_000, 5_001)]


def test_live_samples_sent_out_of_turn_are_not_taken_for_the_backlog(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 5_000)
    outbox = Outbox("web-1", spool)
    outbox.settle([False] * len(runs(outbox)))
    spool.append(HOST, [sample(5_000)])

    sent = runs(outbox)
    assert sent[-1] == (5_000, 5_000)
    assert outbox.settle([False] * 8 + [True]) == 1

    assert spool.position().acknowledged == 0
    assert outbox.waiting() == 5_000
    assert runs(outbox)[-1] == (3_500, 3_999)  # The live one does not go again.


def test_when_the_backlog_is_done_there_is_one_lane_again(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 1_500)
    outbox = Outbox("web-1", spool)
    spool.append(HOST, [sample(1_500)])

    outbox.settle([True] * len(runs(outbox)))
    outbox.settle([True] * len(runs(outbox)))

    assert outbox.waiting() == 0
    assert spool.position().acknowledged == 1_501


def test_asked_to_send_again_it_starts_from_there_or_from_the_oldest_kept(tmp_path: Path) -> None:
    spool = spool_with(tmp_path, 10)
    outbox = Outbox("web-1", spool)
    outbox.settle([True] * len(runs(outbox)))
    assert runs(outbox) == []

    outbox.send_again_from(4)
    assert runs(outbox) == [(4, 9)]
    outbox.settle([True])

    spool.forget_below(8)
    outbox.send_again_from(4)
    assert runs(outbox) == [(8, 9)]
