"""How long a year takes in the usage explorer: by the quarter hour, and by the days that are summed when they are over."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.facts import facts, facts_text
from benchmarks.places import ENGINES, Place, chosen_engines, engine, say
from benchmarks.programs import environment, running

SLOWEST_MS = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--machines", type=int, default=50, help="of the one customer (50)")
    parser.add_argument("--days", type=int, default=365)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name:
        where = Place(Path(name), bootstrap="")
        for choice in chosen_engines(options.engine):
            with engine(choice, where, machines=options.machines) as made:
                say(f"a year on {made.version}")
                env = environment(where.folder, DATABASE_URL=made.url())
                with running("yearly", options.days, env=env) as program:
                    runs.append({"engine": made.version, **program.answer()})
    failed = any(run["summed_ms"] > SLOWEST_MS or not run["equal"] for run in runs)
    return {"machine": facts([run["engine"] for run in runs]), **vars(options), "runs": runs, "failed": failed}


def text(figures: dict[str, Any]) -> str:
    lines = [
        f"{run['engine']}: {run['buckets']:,} quarter hours of {figures['machines']} machines; by the quarter hour"
        f" {run['buckets_ms']:,} ms, summed once in {run['summing_s']} s, by the day {run['summed_ms']:,} ms;"
        f" the same numbers: {'yes' if run['equal'] else 'NO'}"
        for run in figures["runs"]
    ]
    return "\n".join([facts_text(figures["machine"]), *lines, f"within {SLOWEST_MS} ms: {'NO' if figures['failed'] else 'yes'}"])
