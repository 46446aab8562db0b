"""What the window says, from the agent's snapshot. Pure, so that every sentence can be tested without a screen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.console import clock, clock_words, server_has

Snapshot = Mapping[str, Any]
SPAN_MS = 120_000


@dataclass(frozen=True, slots=True)
class State:
    """A shape and a word, never a colour alone, and the sentence below. `verb` is what the button beside it does."""

    shape: str
    word: str
    sentence: str
    verb: str


def state(snapshot: Snapshot | None, error: str | None = None) -> State:
    if snapshot is None:
        reason = error or "waiting for the agent to answer"
        return State("triangle", "Needs attention", reason[0].upper() + reason[1:], "start")
    if snapshot["state"] == "needs attention" and snapshot["key_refused_since_ms"]:
        since = clock(snapshot["key_refused_since_ms"])
        return State(
            "triangle", "Needs attention", f"The server refuses this machine's key since {since}: nothing counts", "pause"
        )
    if snapshot["state"] == "needs attention":
        lost = sum(gap[2] for gap in snapshot["gaps"])
        return State("triangle", "Needs attention", f"The disk is full: {_samples(lost)} could not be kept", "pause")
    if snapshot["state"] == "paused":
        return State("bars", "Paused", f"Measuring. {_waiting(snapshot['waiting'])}; nothing is lost", "resume")
    if snapshot["state"] == "offline":
        return State("ring", "Offline", f"Measuring. No connection {_since(snapshot)}; {_again(snapshot)}", "pause")
    if snapshot["state"] == "starting":
        return State("ring", "Starting", "Measuring; nothing has been sent yet", "pause")
    if snapshot["key"] is None:
        return State("dot", "Running", "Measuring. Not enrolled: what it sends is unsigned", "pause")
    if snapshot["clock_ahead_ms"]:
        return State("dot", "Running", f"Measuring. This clock is {clock_words(snapshot)}", "pause")
    return State("dot", "Running", f"Measuring every {snapshot['interval_s']} s, sending {_sending(snapshot)}", "pause")


def wants_enrolment(snapshot: Snapshot | None) -> bool:
    """Whether the window should offer to enrol this machine."""
    return snapshot is not None and (snapshot["key"] is None or bool(snapshot["key_refused_since_ms"]))


def title(snapshot: Snapshot | None, iconified: bool) -> str:
    if iconified:
        waiting = f", {snapshot['waiting']:,} waiting" if snapshot and snapshot["waiting"] else ""
        return state(snapshot).word + waiting
    return f"Corehour, {snapshot['machine']}" if snapshot else "Corehour"


def queue(snapshot: Snapshot) -> tuple[str, str, str, str]:
    """The four rows: waiting on disk, last sent, server has, last error."""
    sent = (
        f"{clock(snapshot['last_sent_ms'])}, {_samples(snapshot['last_sent_samples'])}" if snapshot["last_sent_ms"] else "not yet"
    )
    return _samples(snapshot["waiting"]), sent, server_has(snapshot), snapshot["trouble"] or "none"


def use(snapshot: Snapshot) -> tuple[str, str]:
    if not snapshot["recent"]:
        return "measuring …", "measuring …"
    return cpu(snapshot["recent"][-1]), memory(snapshot["recent"][-1])


def at_age(snapshot: Snapshot, name: str, age: float) -> str:
    """What the line shows at an age from 0 for now to 1 for two minutes ago."""
    points = snapshot["recent"]
    if not points:
        return "nothing measured yet"
    at = points[-1]["t"] - age * SPAN_MS
    point = min(points, key=lambda point: abs(point["t"] - at))
    return f"{cpu(point) if name == 'cpu' else memory(point)} at {clock(point['t'])}"


def cpu(point: Mapping[str, Any]) -> str:
    return f"{point['cores_used']:.1f} of {point['cores']} cores"


def memory(point: Mapping[str, Any]) -> str:
    return f"{point['memory_used_mib'] / 1024:.1f} of {point['memory_mib'] / 1024:.1f} GiB"


def shares(snapshot: Snapshot) -> list[tuple[float, float, float]]:
    """The last two minutes as (age from 0 for now to 1, CPU share, memory share)."""
    points = snapshot["recent"]
    if not points:
        return []
    now = points[-1]["t"]
    recent = [point for point in points if now - point["t"] <= SPAN_MS]
    return [
        ((now - p["t"]) / SPAN_MS, p["cores_used"] / p["cores"], p["memory_used_mib"] / max(1, p["memory_mib"])) for p in recent
    ]


def number(text: str, low: int, high: int, unit: str) -> int:
    """A whole number from a field. Raise ValueError with the reason, short enough to stand in place of the field's label."""
    reason = f"{low} to {high} {unit}"
    if not text.strip().isascii() or not text.strip().isdigit() or not low <= int(text) <= high:
        raise ValueError(reason)
    return int(text)


def sending_now(waiting_at_start: int, waiting: int) -> str:
    return f"Sending {max(0, waiting_at_start - waiting):,} of {waiting_at_start:,}"


def _since(snapshot: Snapshot) -> str:
    since = clock(snapshot["trouble_since_ms"])
    return f"since {since.rpartition(':')[0]}" if snapshot["trouble_since_ms"] else "at the moment"


def _again(snapshot: Snapshot) -> str:
    return f"trying again in {snapshot['next_try_s']} s" if snapshot["next_try_s"] else "trying now"


def _sending(snapshot: Snapshot) -> str:
    mode: str = snapshot["mode"]
    return {"continuous": "each at once", "on demand": "only when told"}.get(mode, mode)


def _waiting(count: int) -> str:
    return f"{count:,} sample waits on disk" if count == 1 else f"{count:,} samples wait on disk"


def _samples(count: int) -> str:
    return f"{count:,} sample" if count == 1 else f"{count:,} samples"
