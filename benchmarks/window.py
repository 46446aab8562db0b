"""The agent's window under random clicks and keys, while the network to its broker is cut, swallows everything, and comes back.

The exit code is 1 where anything was raised, or where the window did not answer for too long.
"""

import argparse
import contextlib
import importlib.util
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from benchmarks.facts import facts, facts_text
from benchmarks.places import Place, place_behind_a_proxy, say
from benchmarks.programs import ROOT, BenchmarkError, environment, last_words, running
from billingsite.broker import ensure_topic
from tests.agent.fault_proxy import Proxy

TOPIC = "window"
WEATHER = ("open", "open", "cut", "hole")
MOST_FREEZE_MS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=30.0, help="how long to click (30)")
    parser.add_argument("--seed", type=int, default=1, help="which decides what is clicked and when the network goes (1)")
    parser.add_argument(
        "--most-freeze-ms", type=int, default=MOST_FREEZE_MS, help=f"longest time without an answer ({MOST_FREEZE_MS})"
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    if shutil.which("Xvfb") is None or importlib.util.find_spec("_tkinter") is None:
        raise BenchmarkError("The window needs tkinter and Xvfb: apt-get install python3-tk xvfb")
    with place_behind_a_proxy() as (where, network), _agent(where, network.port) as env:
        say(f"clicking for {options.minutes:g} minutes")
        figures = _clicked(network, env, options)
    failed = figures["errors"] or figures["longest_freeze_ms"] > options.most_freeze_ms or not figures["came_back"]
    return {
        "machine": facts([]),
        "seed": options.seed,
        "most_freeze_ms": options.most_freeze_ms,
        **figures,
        "failed": bool(failed),
    }


@contextlib.contextmanager
def _agent(where: Place, port: int) -> Iterator[dict[str, str]]:
    """An agent of its own process, as a service would be. Yield the environment in which a window finds it."""
    with tempfile.TemporaryDirectory(prefix="ch-") as state, tempfile.TemporaryFile("w+") as log:
        env = environment(where.folder, COREHOUR_MACHINE="tile-01", COREHOUR_AGENT_STATE_DIR=state, COREHOUR_AGENT_INTERVAL="1")
        env |= {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}", "USAGE_TOPIC": TOPIC}
        agent = subprocess.Popen([sys.executable, "-m", "agent", "run"], cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            ensure_topic(where.bootstrap, TOPIC)
            yield env
            if agent.poll() is not None:
                log.seek(0)
                raise BenchmarkError(f"The agent ended: {last_words(log.read())}")
        finally:
            agent.terminate()
            agent.wait(20)


def _clicked(network: Proxy, env: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    over = threading.Event()
    seconds = 60 * options.minutes
    with running("clicker", seconds, options.seed, env=env) as clicker:
        clicker.answer()  # The window shows an agent that works.
        changes = threading.Thread(target=_weather, args=(network, random.Random(options.seed), over))
        changes.start()
        try:
            clicker.go()
            figures: dict[str, Any] = clicker.answer()
        finally:
            over.set()
            changes.join()
        network.set("open")
        clicker.go()
        ended: dict[str, Any] = clicker.answer()  # Whether all that waited was sent once the network was there again.
        return figures | ended


def _weather(network: Proxy, chance: random.Random, over: threading.Event) -> None:
    while not over.wait(chance.uniform(0.5, 4.0)):
        network.set(chance.choice(WEATHER))


def text(figures: dict[str, Any]) -> str:
    sent = "all was sent" if figures["came_back"] else "samples still wait"
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['actions']:,} clicks and keys in {figures['seconds']:g} s, seed {figures['seed']}: "
            f"{len(figures['errors'])} exceptions",
            f"longest time without an answer {figures['longest_freeze_ms']} ms (limit {figures['most_freeze_ms']}); "
            f"{figures['longest_gap_ms']} ms, counting when other programs had the cores",
            f"seen meanwhile: {', '.join(figures['seen'])}; afterwards {sent}",
            *figures["errors"][:10],
        ]
    )
