"""From a sample's emission to its row and to a browser's socket: many producers, the real worker, Valkey and the site.

Emission is the sample's end. The row counts once its transaction is committed, the point once a client has received it.
"""

import argparse
import contextlib
import time
import uuid
from typing import Any

from benchmarks.facts import facts, facts_text, spread
from benchmarks.places import Engine, Place, chosen_engines, engine, place, say
from benchmarks.prepare import CUSTOMER
from benchmarks.programs import BenchmarkError, environment, running
from benchmarks.site import site, valkey
from benchmarks.viewer import Viewer, viewer
from billingsite.broker import ensure_topic

PAPER_MEAN_MS = 1_500
WARM_UP_S = 3.0
LAST_POINT_WITHIN_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--producers", type=int, default=50, help="each a machine with a stream of its own (50)")
    parser.add_argument("--rate", type=float, default=1.0, help="samples a second of each (1)")
    parser.add_argument("--seconds", type=float, default=30.0, help=f"after {WARM_UP_S:.0f} s that do not count (30)")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with place() as where, contextlib.ExitStack() as stack:
        names = chosen_engines(options.engine)
        engines = [stack.enter_context(engine(name, where, machines=options.producers)) for name in names]
        redis = stack.enter_context(valkey(where.folder))
        figures: dict[str, Any] = {
            "machine": facts([made.version for made in engines]),
            "producers": options.producers,
            "rate": options.rate,
            "paper_mean_ms": PAPER_MEAN_MS,
        }
        for made in engines:
            say(f"{options.producers} producers into {made.name} for {options.seconds + WARM_UP_S:.0f} s")
            figures[made.name] = _one_run(where, made, redis, options)
        return figures


def _one_run(where: Place, made: Engine, redis: str, options: argparse.Namespace) -> dict[str, Any]:
    topic = f"latency-{made.name}"
    ensure_topic(where.bootstrap, topic)
    env = environment(
        where.folder,
        DATABASE_URL=made.fresh(),
        REDIS_URL=redis,
        KAFKA_BOOTSTRAP_SERVERS=where.bootstrap,
        KAFKA_GROUP=f"bench-{uuid.uuid4().hex}",
        USAGE_TOPIC=topic,
    )
    arguments = (where.bootstrap, topic, options.producers, options.rate, options.seconds + WARM_UP_S)
    with (
        site(where.folder, env) as served,
        viewer(served.address, made.cookie, CUSTOMER) as watching,
        running("watched", env=env) as worker,
        running("producers", *arguments, env=env) as producers,
    ):
        worker.answer()
        producers.answer()
        producers.go()
        sent = producers.answer()
        worker.go()
        return _figures(sent, worker.answer(), watching)


def _figures(sent: dict[str, int], worker: dict[str, Any], watching: Viewer) -> dict[str, Any]:
    if worker["rows"] != sent["sent"]:
        raise BenchmarkError(f"{sent['sent']} samples were sent and {worker['rows']} are in the database.")
    counted = [row for row in worker["committed"] if row[1] >= sent["first_ms"] + WARM_UP_S * 1000]
    seen = _all_seen(watching, {(machine, end_ms) for machine, end_ms, _ in counted})
    return {
        "to_row_ms": spread([at - end_ms for _, end_ms, at in counted]),
        "to_socket_ms": spread([at - end_ms for (_, end_ms), at in seen.items()]),
        "emitted_late_ms": sent["late_ms"],
    }


def _all_seen(watching: Viewer, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Wait a moment for the last points. Points may be left out by design, so their number is among the figures."""
    deadline = time.monotonic() + LAST_POINT_WITHIN_S
    while True:
        seen = {key: at for key, at in watching.seen().items() if key in wanted}
        if len(seen) == len(wanted) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if not seen:
        raise BenchmarkError("No point arrived on the live socket.")
    return seen


ROW = "{:<34}{:>8}{:>8}{:>8}{:>8}{:>9}"


def text(figures: dict[str, Any]) -> str:
    lines = [
        facts_text(figures["machine"]),
        f"{figures['producers']} producers, {figures['rate']:g} samples a second each; milliseconds from emission",
        "",
        ROW.format("", "p50", "p99", "mean", "max", "samples"),
    ]
    for name in (name for name in ("sqlite", "postgres") if name in figures):
        for label, key in (("row", "to_row_ms"), ("socket", "to_socket_ms")):
            known = figures[name][key]
            lines.append(
                ROW.format(
                    f"{name}, to the {label}", *(f"{known[which]:,.0f}" for which in ("p50", "p99", "mean", "max", "count"))
                )
            )
        lines.append(f"  of which the producers were late by up to {figures[name]['emitted_late_ms']} ms")
    lines.append(ROW.format("the paper, as published", "", "", f"{figures['paper_mean_ms']:,}", "", ""))
    return "\n".join(lines)
