"""What a worker takes of the machine's memory while it drains a long backlog, compressed as agents send it: its peak, in MB.

It fails where the peak passes the limit. Buffers are bounded by bytes, so a longer backlog takes longer and no more memory.
"""

import argparse
import contextlib
from typing import Any

from benchmarks.backlog import fill
from benchmarks.facts import facts, facts_text
from benchmarks.ingest import PER_MESSAGE, drain
from benchmarks.places import chosen_engines, engine, place, say

LIMIT_MB = 300
TOPIC = "memory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=5_000_000, help=f"in messages of {PER_MESSAGE} (5000000)")
    parser.add_argument("--machines", type=int, default=1_000, help="that the samples come from, in turn (1000)")
    parser.add_argument("--limit-mb", type=int, default=LIMIT_MB, help=f"what the peak must stay below ({LIMIT_MB})")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with place() as where, contextlib.ExitStack() as stack:
        names = chosen_engines(options.engine)
        engines = [stack.enter_context(engine(name, where, machines=options.machines)) for name in names]
        figures: dict[str, Any] = {"machine": facts([made.version for made in engines]), "limit_mb": options.limit_mb}
        say(f"publishing {options.samples:,} samples by {PER_MESSAGE}, compressed")
        fill(
            where.bootstrap,
            TOPIC,
            samples=options.samples,
            per_message=PER_MESSAGE,
            machines=options.machines,
            compression="gzip",
        )
        for made in engines:
            say(f"draining into {made.name}")
            figures[made.name] = drain(where, made, TOPIC)
        figures["failed"] = any(figures[name]["peak_mb"] >= options.limit_mb for name in names)
        return figures


def text(figures: dict[str, Any]) -> str:
    lines = [facts_text(figures["machine"]), ""]
    for name in (name for name in ("sqlite", "postgres") if name in figures):
        known = figures[name]
        lines.append(f"{name}: {known['samples']:,} samples at {known['samples_per_s']:,} a second, peak {known['peak_mb']} MB")
    lines.append(f"limit: {figures['limit_mb']} MB{', passed' if figures['failed'] else ''}")
    return "\n".join(lines)
