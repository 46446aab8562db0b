"""From a sample's emission to a picture that has moved: many agents, Kafka, the worker, the site and a real browser.

Emission is the sample's end. It counts when the fleet's chart in the browser has other pixels with the point in them.
"""

import argparse
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.browser import seen_in, watching
from benchmarks.facts import facts, facts_text, spread
from benchmarks.places import say
from benchmarks.programs import BenchmarkError, environment, prepare, running
from benchmarks.site import collect_static, database, site, valkey
from billingsite.broker import EmbeddedKafka, ensure_topic
from billingsite.kafka_node import free_ports

LATEST_MS = 1_500
WARM_UP_S = 5.0
LAST_WITHIN_S = 5.0
TOPIC = "live"
CONNECTIONS = 8  # Of the agents together: in life their work is done elsewhere; here it takes cores from what is measured.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agents", type=int, default=500, help="machines of the one customer who watches (500)")
    parser.add_argument("--rate", type=float, default=1.0, help="samples a second of each (1)")
    parser.add_argument("--seconds", type=float, default=20.0, help=f"after {WARM_UP_S:.0f} s that do not count (20)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name, database() as (url, version):
        folder = Path(name)
        say("starting a broker")
        with EmbeddedKafka(folder / "kafka", port=free_ports(1)[0]) as broker, valkey(folder) as redis:
            ensure_topic(broker.bootstrap, TOPIC)
            cookie = prepare(folder, url, options.agents)
            env = environment(
                folder,
                DATABASE_URL=url,
                REDIS_URL=redis,
                KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap,
                KAFKA_GROUP=f"bench-{uuid.uuid4().hex}",
                USAGE_TOPIC=TOPIC,
            )
            collect_static(env)
            figures = {"machine": facts([version]), "agents": options.agents, "rate": options.rate}
            return figures | _one_run(folder, env, cookie, broker.bootstrap, options)


def _one_run(folder: Path, env: dict[str, str], cookie: str, bootstrap: str, options: argparse.Namespace) -> dict[str, Any]:
    arguments = (bootstrap, TOPIC, options.agents, options.rate, options.seconds + WARM_UP_S, CONNECTIONS)
    with (
        site(folder, env) as served,
        running("watched", env=env) as worker,
        running("producers", *arguments, env=env) as producers,
        watching(served.address, cookie) as page,
    ):
        worker.answer()
        producers.answer()
        say(f"{options.agents} agents for {options.seconds + WARM_UP_S:.0f} s")
        producers.go()
        sent = producers.answer()
        worker.go()
        stored = worker.answer()
        time.sleep(LAST_WITHIN_S)
        return _figures(sent, stored, seen_in(page))


def _figures(sent: dict[str, int], stored: dict[str, Any], seen: dict[tuple[str, int], int]) -> dict[str, Any]:
    since_ms = sent["first_ms"] + WARM_UP_S * 1_000
    counted = {(machine, end_ms) for machine, end_ms, _ in stored["committed"] if end_ms >= since_ms}
    late = [at - key[1] for key, at in seen.items() if key in counted]
    if not late:
        raise BenchmarkError("No point was seen to move the chart.")
    return {
        "to_picture_ms": spread(late),
        "to_row_ms": spread([at - end_ms for machine, end_ms, at in stored["committed"] if (machine, end_ms) in counted]),
        "unseen": len(counted - seen.keys()),
        "emitted_late_ms": sent["late_ms"],
        "failed": spread(late)["p99"] > LATEST_MS or stored["rows"] != sent["sent"],
    }


def text(figures: dict[str, Any]) -> str:
    picture, row = figures["to_picture_ms"], figures["to_row_ms"]
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['agents']} agents of one customer, {figures['rate']:g} samples/s each, a browser on the overview",
            f"emission to the row, in ms: p50 {row['p50']:,}, p99 {row['p99']:,}, max {row['max']:,}; {row['count']} samples",
            f"emission to the moved picture: p50 {picture['p50']:,}, p99 {picture['p99']:,}, max {picture['max']:,} "
            f"({picture['count']} points; {figures['unseen']} were left out, as a machine has at most one a second)",
            f"the agents themselves were late by up to {figures['emitted_late_ms']} ms",
            f"within {LATEST_MS} ms (p99): {'NO' if figures['failed'] else 'yes'}",
        ]
    )
