"""Violence against the worker: kills, stops, database crashes and rebalances, and what is stored in the end beside an own record.

Workers are killed, stopped past their session and sent away, PostgreSQL is crashed, all in the middle of a stream of samples
that are also sent twice and out of order. The exit code is 1 unless every sample is there once, in its quarter hour.
"""

import argparse
import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.facts import facts, facts_text
from benchmarks.places import Place, place, say
from benchmarks.programs import Program, environment, prepare, running
from benchmarks.violence import SESSION_MS, Violence
from billingsite.broker import ensure_topic
from tests.nursery import nursery
from tests.postgres import Server, server

TOPIC = "chaos"
PARTITIONS = 6
EMITTERS = 3
STALL_S = 120.0
PATIENCE_S = 4.0  # How long an act waits for the work to go on, so that it falls into it.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=1_000_000, help="how many are sent (1000000)")
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="postgres")
    parser.add_argument("--machines", type=int, default=60, help="that they come from (60)")
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs of a worker (200)")
    parser.add_argument("--stops", type=int, default=100, help="SIGSTOPs, of which one in five outlasts the session (100)")
    parser.add_argument("--crashes", type=int, default=20, help="immediate stops of PostgreSQL (20)")
    parser.add_argument("--rebalances", type=int, default=50, help="of the group, at least (50)")
    parser.add_argument("--seed", type=int, default=1, help="which decides the order of it all (1)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with place() as where, _database(options.engine) as made:
        url = made.url if made else f"sqlite:///{where.folder / 'chaos.sqlite3'}"
        prepare(where.folder, url, options.machines)
        ensure_topic(where.bootstrap, TOPIC, partitions=PARTITIONS)
        env = environment(
            where.folder,
            DATABASE_URL=url,
            KAFKA_BOOTSTRAP_SERVERS=where.bootstrap,
            USAGE_TOPIC=TOPIC,
            KAFKA_SESSION_TIMEOUT_MS=str(SESSION_MS),
        )
        known = facts(["PostgreSQL" if made else "SQLite"])
        began = time.monotonic()
        with nursery(env) as children:
            violence = Violence(children, url, made, where.folder, random.Random(options.seed))
            sent = _rage(violence, where, options)
        seconds = time.monotonic() - began
        say("judging")
        with running("verdict", where.folder, env=env) as judge:
            found = judge.answer()
        done = {**violence.done, "rebalances": violence.rebalances()}
    figures = {"machine": known, "engine": options.engine, "seed": options.seed, "seconds": round(seconds)}
    figures |= {"sent": sent, "done": done, "found": found, "falls": violence.falls}
    return figures | {"failed": not _as_sent(found, sent, violence)}


@contextlib.contextmanager
def _database(engine: str) -> Iterator[Server | None]:
    if engine == "sqlite":
        yield None
        return
    with server(durable=True) as made:
        yield made


def _rage(violence: Violence, where: Place, options: argparse.Namespace) -> dict[str, int]:
    """Send in portions, and do something bad in the middle of each. Return what was sent, once all of it is stored."""
    acts = _acts(options, violence)
    with contextlib.ExitStack() as stack:
        emitters = [stack.enter_context(_emitter(where, number, options)) for number in range(EMITTERS)]
        for emitter in emitters:
            emitter.answer()
        portions = _portions(options.samples, len(acts))
        position = violence.await_progress(None, PATIENCE_S)
        for number, (kind, portion) in enumerate(zip(acts, portions, strict=True)):
            emitters[number % EMITTERS].tell(str(portion))
            position = violence.await_progress(position, PATIENCE_S)
            time.sleep(violence.chance.uniform(0.0, 0.05))
            violence.act(kind)
            if number % 50 == 49:
                say(f"{number + 1} of {len(acts)} acts, {position} messages stored, {violence.rebalances()} rebalances")
        while violence.rebalances() < options.rebalances:
            violence.act("leave")
            violence.await_progress(violence.position(), 1.0)
        for emitter in emitters:
            emitter.tell("end")
        counts = [emitter.answer() for emitter in emitters]
        sent = {name: sum(count[name] for count in counts) for name in counts[0]}
    say("waiting for the rest")
    violence.await_end(sent["messages"], STALL_S)
    violence.end()
    return sent


def _acts(options: argparse.Namespace, violence: Violence) -> list[str]:
    long_stops = -(-options.stops // 5)
    crashes = options.crashes if violence.server else 0
    acts = ["kill"] * options.kills + ["stop"] * (options.stops - long_stops) + ["long stop"] * long_stops
    acts += ["crash"] * crashes + ["leave"] * (options.kills // 10)
    violence.chance.shuffle(acts)
    return acts


def _portions(samples: int, parts: int) -> list[int]:
    edges = [samples * part // parts for part in range(parts + 1)]
    return [last - first for first, last in zip(edges, edges[1:], strict=False)]


def _emitter(where: Place, number: int, options: argparse.Namespace) -> contextlib.AbstractContextManager[Program]:
    machines = list(range(number, options.machines, EMITTERS))
    record: Path = where.folder / f"record-{number}"
    share = options.samples // options.machines
    seed = options.seed * EMITTERS + number
    return running("emitters", where.bootstrap, TOPIC, record, str(machines), share, seed, env=environment(where.folder))


def _as_sent(found: dict[str, Any], sent: dict[str, int], violence: Violence) -> bool:
    wrong = sum(found[name] for name in ("lost", "not_sent", "other_content", "wrong_quarter_hours", "rejected"))
    books = found["books"]
    return (
        not wrong
        and not found["audit"]
        and found["samples"] == sent["samples"]
        and books["stored"] + books["duplicate"] == sent["messages"]
        and books["duplicate"] == sent["again"]
        and not violence.falls
    )


def text(figures: dict[str, Any]) -> str:
    sent, done, found = figures["sent"], figures["done"], figures["found"]
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['engine']}, seed {figures['seed']}, {figures['seconds']} s",
            f"sent: {sent['samples']:,} samples in {sent['messages']:,} messages, {sent['again']:,} of them again",
            "done: " + ", ".join(f"{count} {kind}" for kind, count in sorted(done.items())),
            f"found: {found['samples']:,} samples in {found['quarter_hours']:,} quarter hours: {found['lost']} lost, "
            f"{found['not_sent']} that nobody sent, {found['other_content']} with other content, "
            f"{found['wrong_quarter_hours']} quarter hours wrong, {found['rejected']} messages rejected",
            f"books: {found['books']}; audit: {found['audit'] or 'no difference'}",
            *figures["falls"],
            "FAILED" if figures["failed"] else "every sample once, in its quarter hour",
        ]
    )
