"""Two thousand people watch one process: how late a push reaches them, what it costs in memory, and slow readers among them."""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.facts import facts, facts_text
from benchmarks.places import say
from benchmarks.programs import Program, environment, running
from benchmarks.site import Site, database, site, valkey

SOCKETS_A_PERSON = 40
LATEST_MS = 2_000
MOST_MB = 500.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sockets", type=int, default=2_000, help="all in one process (2000)")
    parser.add_argument("--slow", type=int, default=5, help="readers beside them that never read (5)")
    parser.add_argument("--customers", type=int, default=20, help="who share the sockets (20)")
    parser.add_argument("--machines", type=int, default=500, help="of all customers, a sample a second each (500)")
    parser.add_argument("--seconds", type=int, default=20)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name,
        database() as (url, version),
        valkey(Path(name)) as redis,
    ):
        folder = Path(name)
        env = environment(folder, DATABASE_URL=url, REDIS_URL=redis)
        people = -(-(options.sockets + options.slow) // (SOCKETS_A_PERSON * options.customers))
        say(f"making {options.customers} customers")
        with running("audience", options.customers, options.machines // options.customers, people, env=env) as making:
            customers = making.answer()
        figures = {
            "machine": facts([version]),
            **{key: getattr(options, key) for key in ("sockets", "slow", "customers", "machines")},
        }
        with site(folder, env) as served:
            return figures | _watched(served, customers, options, env)


def _watched(served: Site, customers: list[dict[str, Any]], options: argparse.Namespace, env: dict[str, str]) -> dict[str, Any]:
    empty_mb = served.memory_mb()
    say(f"opening {options.sockets} sockets")
    with (
        running("listeners", served.address, options.sockets, options.slow, env=env) as listeners,
        running("pushes", options.seconds, env=env) as pushes,
    ):
        for program in (listeners, pushes):
            _tell(program, customers)
        opened, _ = listeners.answer(), pushes.answer()
        say(f"pushing for {options.seconds} s")
        memory = _Peak(served)
        pushes.go()
        pushed = pushes.answer()
        time.sleep(2)  # The last points are on their way.
        listeners.go()
        heard = listeners.answer()
        peak_mb = memory.end()
    each = heard["late_ms"]["count"] / options.sockets
    sent = pushed["points"] / options.customers
    return {
        "opened_s": opened["opened_s"],
        "late_ms": heard["late_ms"],
        "closed_by_server": heard["lost"],
        "points_heard": f"{each:.0f} of {sent:.0f}",
        "memory_empty_mb": empty_mb,
        "memory_peak_mb": peak_mb,
        "failed": heard["late_ms"]["p99"] > LATEST_MS or peak_mb >= MOST_MB or heard["lost"] > 0 or each < 0.99 * sent,
    }


def _tell(program: Program, customers: list[dict[str, Any]]) -> None:
    assert program.process.stdin is not None
    program.process.stdin.write(json.dumps(customers) + "\n")
    program.process.stdin.flush()


class _Peak:
    """The most that the server held, looked at twice a second."""

    def __init__(self, served: Site) -> None:
        self._served = served
        self._most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self._most = max(self._most, self._served.memory_mb())

    def end(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most


def text(figures: dict[str, Any]) -> str:
    late = figures["late_ms"]
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['sockets']} sockets of {figures['customers']} customers in one process, beside {figures['slow']} that "
            f"never read; {figures['machines']} machines with a sample a second",
            f"opened in {figures['opened_s']} s; points heard by each: {figures['points_heard']}; "
            f"closed by the server: {figures['closed_by_server']}",
            f"from a sample's end to a reader, in ms: p50 {late['p50']:,}, p99 {late['p99']:,}, max {late['max']:,}",
            f"memory of the server: {figures['memory_empty_mb']} MB before, {figures['memory_peak_mb']} MB at most",
            f"a push within {LATEST_MS} ms (p99), below {MOST_MB:.0f} MB, nobody lost: {'NO' if figures['failed'] else 'yes'}",
        ]
    )
