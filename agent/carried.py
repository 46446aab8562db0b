"""How the counters stood at the last sample, kept with it: after a restart within the same boot they are carried on from there,
so that CPU time and bytes used while the agent was down are metered all the same."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from agent import cgroup
from agent.counters import CpuLimit, Reading, between
from agent.samples import Host, Sample, split

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LONGEST_MS = 30 * 86_400_000  # The server refuses what is older than 35 days.
STEP_MS = 250


@dataclass(frozen=True, slots=True)
class Carried:
    """A reading, when it was taken by both clocks, and the boot in which its counters count."""

    boot: str
    end_ms: int
    monotonic_ns: int
    reading: Reading

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> "Carried | None":
        """As it was kept; None where there is nothing or it cannot be read."""
        try:
            kept = json.loads(text or "")
            return cls(**{**kept, "reading": Reading(**kept["reading"])})
        except (ValueError, TypeError, KeyError):
            return None


def boot_name(boot_id: Path = BOOT_ID, find: Callable[[], cgroup.Container | None] = cgroup.find) -> str:
    """Names the boot, and in a container the container, whose counters begin with it. Empty where that cannot be told."""
    try:
        container = find()
        return boot_id.read_text().strip() + (f"/{container.root.stat().st_ino}" if container else "")
    except OSError:
        return ""


def bridge(kept: Carried | None, now: Carried, host: Host) -> list[Sample]:
    """What was used since the kept reading: CPU time and bytes, which counters tell. Memory and disk nobody measured: none.

    Nothing after a reboot, which counts anew, or after more than a month.
    """
    if kept is None or not now.boot or kept.boot != now.boot:
        return []
    elapsed_ms = (now.monotonic_ns - kept.monotonic_ns) // 1_000_000
    was_set = abs(kept.end_ms + elapsed_ms - now.end_ms) > STEP_MS  # The clock, meanwhile: stamps go on in the new time.
    start_ms = now.end_ms - elapsed_ms if was_set else kept.end_ms
    if elapsed_ms > LONGEST_MS or start_ms >= now.end_ms:
        return []
    whole = between(kept.reading, now.reading, start_ms, now.end_ms)
    cpu_ms = CpuLimit().limit(whole.cpu_ms, whole.duration_ms, host)
    return list(split(replace(whole, cpu_ms=cpu_ms, memory_mib_ms=0, disk_mib_ms=0)))
