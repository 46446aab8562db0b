"""Reads this machine's counters through psutil; a container's by cgroup version 2. The only module that touches psutil."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from agent import cgroup
from agent.counters import MIB, Reading
from agent.samples import Host

BUSY = ("user", "nice", "system", "irq", "softirq")  # Not steal: that is what others took. guest is within user.
NOT_DISKS = {"squashfs", "iso9660", "udf", "erofs"}  # Read-only images: nobody's usage.
PARTITIONS_KEPT_S = 60.0
LOOPBACK = {"lo", "lo0"}


class Meters:
    """What the machine has and how its counters stand."""

    def __init__(self, container: cgroup.Container | None = None) -> None:
        self.container = container if container is not None else cgroup.find()
        self._mounts: list[str] = []
        self._mounts_until = 0.0

    def host(self) -> Host:
        cores, memory = psutil.cpu_count() or 1, psutil.virtual_memory().total
        if self.container:
            cores = min(cores, self.container.cores() or cores)
            memory = min(memory, self.container.memory_bytes() or memory)
        return Host(cores=cores, memory_mib=memory // MIB)

    def read(self) -> Reading:
        net = _network()
        return Reading(
            cpu_ms=self.container.cpu_used_ms() if self.container else _cpu_ms(),
            memory_bytes=self.container.memory_used_bytes() if self.container else _memory_bytes(),
            disk_bytes=sum(_used(mount) for mount in self._local_mounts()),
            net_rx={name: net[name].bytes_recv for name in net},
            net_tx={name: net[name].bytes_sent for name in net},
            disk_read=self.container.disk_bytes("rbytes") if self.container else _disks("read_bytes"),
            disk_write=self.container.disk_bytes("wbytes") if self.container else _disks("write_bytes"),
        )

    def _local_mounts(self) -> list[str]:
        if time.monotonic() >= self._mounts_until:
            self._mounts = _mounts()
            self._mounts_until = time.monotonic() + PARTITIONS_KEPT_S
        return self._mounts


def _cpu_ms() -> int:
    times = psutil.cpu_times()
    return round(1000 * sum(getattr(times, name, 0.0) for name in BUSY))


def _memory_bytes() -> int:
    memory = psutil.virtual_memory()
    return int(memory.total - memory.available)


def _mounts() -> list[str]:
    """One mount point for each local device; psutil already leaves out network and pseudo file systems."""
    by_device = {part.device: part.mountpoint for part in psutil.disk_partitions(all=False) if part.fstype not in NOT_DISKS}
    return list(by_device.values())


def _used(mount: str) -> int:
    try:
        return int(psutil.disk_usage(mount).used)
    except OSError:  # Unmounted since, or not ours to look at.
        return 0


def _network() -> dict[str, Any]:
    # nowrap=False: psutil would take every wrap for a restart; agent.counters tells them apart.
    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    return {name: counters[name] for name in _physical(counters.keys() - LOOPBACK, Path("/sys/class/net"))}


def _disks(field: str) -> dict[str, int]:
    counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    return {name: getattr(counters[name], field) for name in _physical(counters.keys(), Path("/sys/block"))}


def _physical(names: Iterable[str], folder: Path) -> list[str]:
    """On Linux only what has hardware under it, else bridges, tunnels, partitions and loops would count the same bytes twice.

    Where nothing has (a container's network), everything counts.
    """
    names = sorted(names)
    if sys.platform != "linux":
        return names
    return [name for name in names if (folder / name / "device").exists()] or names
