"""What a person at a terminal sees: one status line while the agent runs, and the answer of `status`."""

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

GAPS_SHOWN = 5


def clock(epoch_ms: int) -> str:
    """Local time of day; with the date if that is not today."""
    if not epoch_ms:
        return "never"
    moment = datetime.fromtimestamp(epoch_ms / 1000).astimezone()
    today = datetime.now().astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M:%S}"


def line(snapshot: Mapping[str, Any]) -> str:
    parts = [snapshot["machine"], snapshot["state"], *_use(snapshot), f"{snapshot['waiting']} waiting"]
    parts.append(snapshot["trouble"] or f"sent {clock(snapshot['last_sent_ms'])}")
    return "  ".join(parts)


def page(snapshot: Mapping[str, Any]) -> str:
    """The whole state, one fact a line."""
    facts = [
        ("Machine", f"{snapshot['machine']}, agent {snapshot['version']}"),
        ("State", snapshot["state"]),
        ("Key", key_words(snapshot)),
        ("Sending", snapshot["mode"]),
        ("Using", ", ".join(_use(snapshot)) or "not measured yet"),
        ("Waiting on disk", f"{snapshot['waiting']} of {snapshot['written']} samples"),
        ("Last sample", clock(snapshot["last_sample_ms"])),
        ("Last sent", f"{clock(snapshot['last_sent_ms'])}, {snapshot['last_sent_samples']} samples"),
        ("Server has", server_has(snapshot)),
        ("Lost", f"{sum(gap[2] for gap in snapshot['gaps'])} samples in {len(snapshot['gaps'])} gaps"),
        *(("", gap_words(*gap)) for gap in snapshot["gaps"][-GAPS_SHOWN:]),
        ("Bridged", f"{sum(end - start for start, end in snapshot['bridged']) / 1000:.0f} s in which no agent ran"),
        ("Clock", clock_words(snapshot)),
        ("Last error", snapshot["trouble"] or "none"),
    ]
    return "\n".join(f"{name:<16} {fact}" for name, fact in facts)


def gap_words(start_ms: int, end_ms: int, samples: int, reason: str) -> str:
    """A gap to the millisecond, in UTC as on the server."""
    start, end = (datetime.fromtimestamp(at // 1000, UTC) for at in (start_ms, end_ms))
    day = f"{end:%Y-%m-%d} " if end.date() != start.date() else ""
    lost = f"{samples} samples, " if samples else ""
    return f"{start:%Y-%m-%d %H:%M:%S}.{start_ms % 1000:03} to {day}{end:%H:%M:%S}.{end_ms % 1000:03} UTC: {lost}{reason}"


def clock_words(snapshot: Mapping[str, Any]) -> str:
    """How this machine's clock stands to the server's, and what is done about it."""
    if not snapshot["server"]:
        return "not compared: no server set"
    if (ahead_ms := snapshot["clock_ahead_ms"]) is None:
        return "not compared yet: the server has not answered"
    if not ahead_ms:
        return "agrees with the server's"
    way = "ahead of" if ahead_ms > 0 else "behind"
    return f"{abs(ahead_ms) // 1000} s {way} the server's; samples carry the server's time"


def key_words(snapshot: Mapping[str, Any]) -> str:
    """What the machine signs with, and whether that counts."""
    if snapshot["key"] is None:
        return "not enrolled"
    since_ms = snapshot["key_refused_since_ms"]
    return f"{snapshot['key']}, refused by the server since {clock(since_ms)}" if since_ms else str(snapshot["key"])


def server_has(snapshot: Mapping[str, Any]) -> str:
    if not snapshot["server"]:
        return "not known: no server set"
    return f"all samples up to {clock(snapshot['watermark_ms'])}" if snapshot["watermark"] else "nothing yet"


def _use(snapshot: Mapping[str, Any]) -> list[str]:
    if not snapshot["recent"]:
        return []
    last = snapshot["recent"][-1]
    return [
        f"CPU {last['cores_used']:.2f} of {last['cores']} cores",
        f"memory {last['memory_used_mib'] / 1024:.1f} of {last['memory_mib'] / 1024:.1f} GiB",
    ]


class StatusLine:
    """Rewrites one line of a terminal in place; writes nothing where there is no terminal."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self.out = out
        self.live = out.isatty()

    def show(self, snapshot: Mapping[str, Any]) -> None:
        if self.live:
            self.out.write(f"\r{time.strftime('%H:%M:%S')}  {line(snapshot)}\033[K")
            self.out.flush()

    def end(self) -> None:
        if self.live:
            self.out.write("\n")
