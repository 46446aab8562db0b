"""Samples a second: this worker and the paper's, on one broker, one topic and one machine, and where the time goes.

Each figure is the median of some runs, each from an unread topic into a fresh database.
"""

import argparse
import contextlib
import uuid
from typing import Any

from benchmarks.backlog import PARTITIONS, fill
from benchmarks.facts import facts, facts_text, median_by
from benchmarks.places import Engine, Place, chosen_engines, engine, place, say
from benchmarks.programs import Program, environment, running

PER_MESSAGE = 60
STEPS = ("fetch", "decode", "judge", "write")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=200_000, help="in messages of one sample (200000)")
    parser.add_argument("--packed-samples", type=int, default=600_000, help="in messages of 60 samples (600000)")
    parser.add_argument("--machines", type=int, default=1_000, help="that the samples come from, in turn (1000)")
    parser.add_argument("--runs", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--paper-seconds", type=float, default=10.0, help="how long the paper's worker runs (10)")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with place() as where, contextlib.ExitStack() as stack:
        names = chosen_engines(options.engine)
        engines = [stack.enter_context(engine(name, where, machines=options.machines)) for name in names]
        figures: dict[str, Any] = {"machine": facts([made.version for made in engines])}
        _fill(where, options)
        figures["paper"] = _paper(where, options)
        for made in engines:
            figures[made.name] = {
                "one_a_message": _median(where, made, "single", options.runs),
                "packed": _median(where, made, "packed", options.runs) | {"samples_a_message": PER_MESSAGE},
                "two_workers": _median(where, made, "single", options.runs, workers=2),
            }
            _compare(figures[made.name], figures["paper"]["samples_per_s"])
        return figures


def _fill(where: Place, options: argparse.Namespace) -> None:
    say(f"publishing {options.samples:,} samples one by one and {options.packed_samples:,} by {PER_MESSAGE}")
    fill(where.bootstrap, "single", samples=options.samples, per_message=1, machines=options.machines)
    fill(where.bootstrap, "packed", samples=options.packed_samples, per_message=PER_MESSAGE, machines=options.machines)


def _paper(where: Place, options: argparse.Namespace) -> dict[str, Any]:
    """One long run: every message is a run of its own, and there are thousands."""
    say("draining with the paper's worker")
    arguments = (where.bootstrap, "single", where.folder / "paper.sqlite3", options.paper_seconds, options.samples)
    with running("paper", *arguments, env=environment(where.folder)) as program:
        done: dict[str, Any] = program.answer()
    return {**done, "samples_per_s": round(done["messages"] / done["seconds"])}


def _median(where: Place, made: Engine, topic: str, runs: int, *, workers: int = 1) -> dict[str, Any]:
    say(f"draining {topic} into {made.name} with {workers} worker{'s' if workers > 1 else ''}, {runs} times")
    return median_by([drain(where, made, topic, workers) for _ in range(runs)], "samples_per_s")


def drain(where: Place, made: Engine, topic: str, workers: int = 1) -> dict[str, Any]:
    env = environment(
        where.folder,
        DATABASE_URL=made.fresh(),
        KAFKA_BOOTSTRAP_SERVERS=where.bootstrap,
        KAFKA_GROUP=f"bench-{uuid.uuid4().hex}",
        USAGE_TOPIC=topic,
    )
    with contextlib.ExitStack() as stack:
        share = PARTITIONS // workers
        programs = [stack.enter_context(running("drain", "--partitions", share, env=env)) for _ in range(workers)]
        return _together(programs)


def _together(programs: list[Program]) -> dict[str, Any]:
    """Let them go at once, and count from the first start to the last commit."""
    for program in programs:
        program.answer()
    for program in programs:
        program.go()
    parts = [program.answer() for program in programs]
    seconds = max(part["ended"] for part in parts) - min(part["began"] for part in parts)
    samples = sum(part["samples"] for part in parts)
    busy = sum(part["ended"] - part["began"] for part in parts)
    return {
        "samples": samples,
        "rejected": sum(part["rejected"] for part in parts),
        "seconds": round(seconds, 3),
        "samples_per_s": round(samples / seconds),
        "share": {step: round(sum(part["steps_s"].get(step, 0.0) for part in parts) / busy, 3) for step in STEPS},
        "cpu_s": round(sum(part["cpu_s"] for part in parts), 2),
        "peak_mb": max(part["peak_mb"] for part in parts),
    }


def _compare(engine_figures: dict[str, Any], paper: float) -> None:
    one = engine_figures["one_a_message"]["samples_per_s"]
    engine_figures["times_the_paper"] = round(one / paper, 1)
    engine_figures["gain_of_two_workers"] = round(engine_figures["two_workers"]["samples_per_s"] / one, 2)


ROW = "{:<38}{:>11}{:>8}{:>8}{:>8}{:>8}{:>9}"


def text(figures: dict[str, Any]) -> str:
    paper = figures["paper"]
    lines = [
        facts_text(figures["machine"]),
        "",
        ROW.format("", "samples/s", *STEPS, "peak MB"),
        ROW.format("the paper's worker, SQLite", f"{paper['samples_per_s']:,}", "", "", "", "", ""),
    ]
    for name in (name for name in ("sqlite", "postgres") if name in figures):
        known = figures[name]
        lines += [
            _row(f"{name}, 1 sample a message", known["one_a_message"]),
            _row(f"{name}, {PER_MESSAGE} samples a message", known["packed"]),
            f"  {known['times_the_paper']} times the paper's worker",
        ]
        lines.append(_row(f"{name}, 1 a message, two workers", known["two_workers"]))
        lines.append(f"  two workers gain a factor of {known['gain_of_two_workers']}")
    return "\n".join(lines)


def _row(name: str, run: dict[str, Any]) -> str:
    shares = [f"{run['share'][step]:.0%}" for step in STEPS]
    return ROW.format(name, f"{run['samples_per_s']:,}", *shares, run["peak_mb"])
