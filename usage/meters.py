"""What can be measured, in which base unit it is kept, and in which unit it is priced and shown. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MS_PER_HOUR = 3_600_000
MIB_PER_GIB = 1024
PLACES = 12


@dataclass(frozen=True, slots=True)
class Meter:
    """One meter. Quantities are integers in `base` units; `per_unit` base units make one `unit` as priced."""

    code: str
    name: str
    base: str
    unit: str
    per_unit: int

    def in_units(self, base: int) -> str:
        """Return a quantity of 0 or more in `unit` as a decimal string of up to 12 places, half up.

        That is fine enough to be exact: multiplied by `per_unit` and rounded it gives the base quantity again.
        """
        scaled = (2 * base * 10**PLACES + self.per_unit) // (2 * self.per_unit)
        whole, rest = divmod(scaled, 10**PLACES)
        return f"{whole}.{rest:0{PLACES}d}".rstrip("0").rstrip(".")


CORE_MS = "core-ms"
MIB_MS = "MiB-ms"
BYTES = "bytes"
MICRO_PERCENT = "micro-percent"

METERS: Mapping[str, Meter] = MappingProxyType(
    {
        meter.code: meter
        for meter in (
            Meter("cpu", "CPU", CORE_MS, "core-hour", MS_PER_HOUR),
            Meter("memory", "Memory", MIB_MS, "GiB-hour", MIB_PER_GIB * MS_PER_HOUR),
            Meter("disk", "Disk", MIB_MS, "GiB-hour", MIB_PER_GIB * MS_PER_HOUR),
            Meter("network_in", "Network in", BYTES, "GB", 10**9),
            Meter("network_out", "Network out", BYTES, "GB", 10**9),
            Meter("network", "Network", BYTES, "GB", 10**9),
            Meter("disk_read", "Disk read", BYTES, "GB", 10**9),
            Meter("disk_write", "Disk written", BYTES, "GB", 10**9),
            Meter("cpu_percent_samples", "CPU percent per sample", MICRO_PERCENT, "percent-sample", 10**6),
            Meter("memory_percent_samples", "Memory percent per sample", MICRO_PERCENT, "percent-sample", 10**6),
        )
    }
)

# Meter to the column of a sample and of a bucket that holds it; `network` is the sum of two.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": ("cpu_ms",),
        "memory": ("memory_mib_ms",),
        "disk": ("disk_mib_ms",),
        "network_in": ("net_rx",),
        "network_out": ("net_tx",),
        "network": ("net_rx", "net_tx"),
        "disk_read": ("disk_read",),
        "disk_write": ("disk_write",),
        "cpu_percent_samples": ("cpu_upct",),
        "memory_percent_samples": ("memory_upct",),
    }
)
QUANTITY_COLUMNS = (
    "cpu_ms",
    "memory_mib_ms",
    "disk_mib_ms",
    "net_rx",
    "net_tx",
    "disk_read",
    "disk_write",
    "cpu_upct",
    "memory_upct",
)
