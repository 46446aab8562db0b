"""What was measured on: without it a figure says nothing. And the few sums that figures need."""

import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from billingsite.kafka_jars import KAFKA_VERSION


def facts(engines: Sequence[str]) -> dict[str, Any]:
    """The machine and the versions. `load` is what others asked of it in the minute before."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka": KAFKA_VERSION,
        "kafka_python": version("kafka-python"),
        "django": version("django"),
        "engines": list(engines),
        "load": round(os.getloadavg()[0], 1),
    }


def facts_text(known: dict[str, Any]) -> str:
    return (
        f"{known['cores']} cores of {known['cpu']}, {known['system']}, Python {known['python']}, Django {known['django']}, "
        f"Kafka {known['kafka']} with kafka-python {known['kafka_python']}, {', '.join(known['engines'])}; "
        f"load before: {known['load']}"
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def median_by(runs: Sequence[dict[str, Any]], key: str) -> dict[str, Any]:
    """The run in the middle, whole, so that its parts belong together. Of an even number the slower of the two."""
    return sorted(runs, key=lambda run: float(run[key]))[(len(runs) - 1) // 2]


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that this share of all does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile, mean and worst, in the values' unit."""
    return {
        "p50": percentile(values, 50),
        "p99": percentile(values, 99),
        "mean": round(statistics.fmean(values), 1),
        "max": max(values),
        "count": len(values),
    }
