"""Every sentence of the window."""

from typing import Any

import pytest

from agent.console import clock
from agent.window_words import State, at_age, number, queue, sending_now, shares, state, title, wants_enrolment
from tests.agent.build import T0

RUNNING: dict[str, Any] = {
    "machine": "tile-01",
    "key": "a1b2",
    "key_refused_since_ms": 0,
    "state": "running",
    "mode": "continuous",
    "interval_s": 1,
    "waiting": 0,
    "watermark": 0,
    "watermark_ms": 0,
    "server": True,
    "clock_ahead_ms": 0,
    "last_sent_ms": 0,
    "last_sent_samples": 0,
    "trouble": None,
    "trouble_since_ms": 0,
    "next_try_s": 0,
    "gaps": [],
    "recent": [],
}


def point(second: int, cores_used: float = 1.0) -> dict[str, float]:
    return {"t": T0 + second * 1_000, "cores_used": cores_used, "cores": 4, "memory_used_mib": 512, "memory_mib": 1_024}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, State("dot", "Running", "Measuring every 1 s, sending each at once", "pause")),
        ({"state": "starting"}, State("ring", "Starting", "Measuring; nothing has been sent yet", "pause")),
        ({"key": None}, State("dot", "Running", "Measuring. Not enrolled: what it sends is unsigned", "pause")),
        (
            {"state": "needs attention", "key_refused_since_ms": T0},
            State(
                "triangle",
                "Needs attention",
                f"The server refuses this machine's key since {clock(T0)}: nothing counts",
                "pause",
            ),
        ),
        ({"mode": "every 10 s"}, State("dot", "Running", "Measuring every 1 s, sending every 10 s", "pause")),
        (
            {"clock_ahead_ms": -90_000},
            State(
                "dot",
                "Running",
                "Measuring. This clock is 90 s behind the server's; samples carry the server's time",
                "pause",
            ),
        ),
        ({"mode": "on demand"}, State("dot", "Running", "Measuring every 1 s, sending only when told", "pause")),
        (
            {"state": "paused", "waiting": 3_412},
            State("bars", "Paused", "Measuring. 3,412 samples wait on disk; nothing is lost", "resume"),
        ),
        (
            {"state": "paused", "waiting": 1},
            State("bars", "Paused", "Measuring. 1 sample waits on disk; nothing is lost", "resume"),
        ),
        (
            {"state": "offline", "trouble": "x", "next_try_s": 8},
            State("ring", "Offline", "Measuring. No connection at the moment; trying again in 8 s", "pause"),
        ),
        (
            {"state": "offline", "trouble": "x"},
            State("ring", "Offline", "Measuring. No connection at the moment; trying now", "pause"),
        ),
        (
            {"state": "needs attention", "gaps": [[0, 1, 5, "full"], [2, 3, 2, "full"]]},
            State("triangle", "Needs attention", "The disk is full: 7 samples could not be kept", "pause"),
        ),
    ],
)
def test_a_shape_a_word_and_a_sentence(changes: dict[str, Any], expected: State) -> None:
    assert state(RUNNING | changes) == expected


def test_without_an_agent_the_button_starts_one() -> None:
    assert state(None, "no agent is running") == State("triangle", "Needs attention", "No agent is running", "start")


def test_the_title_says_the_state_only_when_minimised() -> None:
    paused = RUNNING | {"state": "paused", "waiting": 3_412}

    assert title(paused, iconified=False) == "Corehour, tile-01"
    assert title(paused, iconified=True) == "Paused, 3,412 waiting"
    assert title(RUNNING, iconified=True) == "Running"
    assert title(None, iconified=False) == "Corehour"


def test_the_queue() -> None:
    sent = RUNNING | {"last_sent_ms": T0, "last_sent_samples": 10, "watermark": 7, "watermark_ms": T0, "trouble": "no answer"}

    assert queue(RUNNING) == ("0 samples", "not yet", "nothing yet", "none")
    assert queue(sent) == ("0 samples", f"{clock(T0)}, 10 samples", f"all samples up to {clock(T0)}", "no answer")
    assert queue(RUNNING | {"server": False})[2] == "not known: no server set"


def test_two_minutes_of_shares_and_the_value_at_an_age() -> None:
    snapshot = RUNNING | {"recent": [point(-1), point(0), point(60, 3.0), point(120, 2.0)]}

    assert shares(snapshot) == [(1.0, 0.25, 0.5), (0.5, 0.75, 0.5), (0.0, 0.5, 0.5)]
    assert at_age(snapshot, "cpu", 0.4) == f"3.0 of 4 cores at {clock(T0 + 60_000)}"
    assert at_age(snapshot, "memory", 1.0) == f"0.5 of 1.0 GiB at {clock(T0)}"


@pytest.mark.parametrize("text", ["", "-1", "3601", "5.5", "many", "٣"])
def test_a_number_out_of_range_says_the_range(text: str) -> None:
    with pytest.raises(ValueError, match="^0 to 3600 s$"):
        number(text, 0, 3_600, "s")


def test_a_number_in_range() -> None:
    assert number(" 30 ", 0, 3_600, "s") == 30


def test_it_offers_to_enrol_where_no_key_counts() -> None:
    assert not wants_enrolment(RUNNING)
    assert not wants_enrolment(None)
    assert wants_enrolment(RUNNING | {"key": None})
    assert wants_enrolment(RUNNING | {"key_refused_since_ms": T0})


def test_progress() -> None:
    assert sending_now(3_412, 3_072) == "Sending 340 of 3,412"
