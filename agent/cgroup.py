"""Inside a container the machine is the container: its limits and its use come from cgroup version 2 files."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Container:
    """A cgroup namespace. Only its root counts: the limits of a service on a plain host (systemd) are not the machine's."""

    root: Path

    def cores(self) -> int | None:
        """Whole cores that the quota allows, rounded up; None without a quota."""
        quota, _, period = _text(self.root / "cpu.max").partition(" ")
        return -(-int(quota) // int(period)) if quota.isdigit() and period.isdigit() else None

    def memory_bytes(self) -> int | None:
        limit = _text(self.root / "memory.max")
        return int(limit) if limit.isdigit() else None

    def cpu_used_ms(self) -> int:
        return _fields(self.root / "cpu.stat")["usage_usec"] // 1000

    def memory_used_bytes(self) -> int:
        """In use without the page cache that can be dropped at once, as `docker stats` counts it."""
        current = int(_text(self.root / "memory.current"))
        return max(0, current - _fields(self.root / "memory.stat").get("inactive_file", 0))

    def disk_bytes(self, field: str) -> dict[str, int]:
        """`rbytes` or `wbytes` by device, of this container alone."""
        devices: dict[str, int] = {}
        for line in _text(self.root / "io.stat").splitlines():
            device, *pairs = line.split()
            devices[device] = int(dict(pair.split("=") for pair in pairs).get(field, 0))
        return devices


def find(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Container | None:
    """The container this process is in, or None on a plain host: a host's root cgroup has no cpu.max and no memory.current."""
    inside = _text(membership) == "0::/"
    needed = ("cpu.stat", "memory.current", "memory.stat")
    return Container(root) if inside and all((root / name).is_file() for name in needed) else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _fields(path: Path) -> dict[str, int]:
    return {name: int(value) for name, _, value in (line.partition(" ") for line in _text(path).splitlines()) if value.isdigit()}
