"""What a person at a terminal sees: one status line while the agent runs, and the answer of `status`."""

import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TextIO


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
        ("Sending", snapshot["mode"]),
        ("Using", ", ".join(_use(snapshot)) or "not measured yet"),
        ("Waiting on disk", f"{snapshot['waiting']} of {snapshot['written']} samples"),
        ("Last sample", clock(snapshot["last_sample_ms"])),
        ("Last sent", f"{clock(snapshot['last_sent_ms'])}, {snapshot['last_sent_samples']} samples"),
        ("Server has", server_has(snapshot)),
        ("Lost", f"{sum(gap[2] for gap in snapshot['gaps'])} samples in {len(snapshot['gaps'])} gaps"),
        ("Bridged", f"{sum(end - start for start, end in snapshot['bridged']) / 1000:.0f} s in which no agent ran"),
        ("Last error", snapshot["trouble"] or "none"),
    ]
    return "\n".join(f"{name:<16} {fact}" for name, fact in facts)


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
