"""Thousands of enrolled agents into one worker: each signs its samples, and none may be lost, counted twice or late."""

import argparse
import contextlib
import uuid
from typing import Any

from benchmarks.facts import facts, facts_text, spread
from benchmarks.places import Engine, Place, chosen_engines, engine, place, say
from benchmarks.programs import environment, running
from billingsite.broker import ensure_topic

PROCESSES = 2
MOST_P99_MS = 2_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agents", type=int, default=2_000, help="each a machine with a key of its own (2000)")
    parser.add_argument("--interval", type=int, default=10, help="seconds that a sample covers (10)")
    parser.add_argument("--seconds", type=int, default=600, help="for how long (600)")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="sqlite")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with place() as where, contextlib.ExitStack() as stack:
        engines = [stack.enter_context(engine(name, where, machines=options.agents)) for name in chosen_engines(options.engine)]
        figures: dict[str, Any] = {
            "machine": facts([made.version for made in engines]),
            "agents": options.agents,
            "interval_s": options.interval,
            "seconds": options.seconds,
        }
        for made in engines:
            say(f"{options.agents} agents, a sample in {options.interval} s each, into {made.name} for {options.seconds} s")
            figures[made.name] = _one_run(where, made, options)
        figures["failed"] = [name for name in (made.name for made in engines) if not _holds(figures[name])]
        return figures


def _one_run(where: Place, made: Engine, options: argparse.Namespace) -> dict[str, Any]:
    topic = f"agents-{made.name}"
    ensure_topic(where.bootstrap, topic)
    env = environment(
        where.folder,
        DATABASE_URL=made.fresh(),
        KAFKA_BOOTSTRAP_SERVERS=where.bootstrap,
        KAFKA_GROUP=f"bench-{uuid.uuid4().hex}",
        USAGE_TOPIC=topic,
        USAGE_REQUIRE_SIGNATURE="1",
    )
    with running("enrolled", env=env) as keys:
        keys.answer()
    share = options.agents // PROCESSES
    with running("watched", env=env) as worker, contextlib.ExitStack() as stack:
        worker.answer()
        crowds = [
            stack.enter_context(
                running("signers", where.bootstrap, topic, n * share, share, options.interval, options.seconds, env=env)
            )
            for n in range(PROCESSES)
        ]
        for crowd in crowds:
            crowd.answer()
        for crowd in crowds:
            crowd.go()
        sent = [crowd.answer() for crowd in crowds]
        worker.go()
        return _figures(sent, worker.answer())


def _figures(sent: list[dict[str, int]], worker: dict[str, Any]) -> dict[str, Any]:
    emitted, committed = sum(one["sent"] for one in sent), worker["committed"]
    return {
        "sent": emitted,
        "lost": emitted - worker["rows"],
        "double": len(committed) - len({(machine, end_ms) for machine, end_ms, _ in committed}),
        "to_row_ms": spread([at - end_ms for _, end_ms, at in committed]),
        "emitted_late_ms": max(one["late_ms"] for one in sent),
    }


def _holds(run: dict[str, Any]) -> bool:
    return not run["lost"] and not run["double"] and bool(run["to_row_ms"]["p99"] <= MOST_P99_MS)


def text(figures: dict[str, Any]) -> str:
    lines = [
        facts_text(figures["machine"]),
        f"{figures['agents']:,} agents, each signing a sample in {figures['interval_s']} s, for {figures['seconds']} s",
        "",
    ]
    for name in (name for name in ("sqlite", "postgres") if name in figures):
        run, late = figures[name], figures[name]["to_row_ms"]
        lines.append(
            f"{name:<10}{run['sent']:,} sent, {run['lost']} lost, {run['double']} double; emission to row "
            f"p50 {late['p50']:,.0f} ms, p99 {late['p99']:,.0f} ms, max {late['max']:,.0f} ms "
            f"(emitted up to {run['emitted_late_ms']} ms late)"
        )
    return "\n".join(lines)
