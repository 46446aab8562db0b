"""How long pages take with a business behind them: 2,000 machines, buckets of 50 million samples, 36 months of invoices.

Filling takes minutes, so a folder may be named that keeps the database for the next time.
"""

import argparse
import http.client
import json
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.addresses import ADMIN, PORTAL
from benchmarks.facts import facts, facts_text, percentile
from benchmarks.places import say
from benchmarks.programs import BenchmarkError, environment, running
from benchmarks.site import database, site, valkey

SLOWEST_MS = 300
MEASURES = ("p50", "p95", "views", "queries", "bytes", "alone_ms", "cpu_ms")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--customers", type=int, default=40, help="who share the machines (40)")
    parser.add_argument("--machines", type=int, default=2_000)
    parser.add_argument("--samples", type=int, default=50_000_000, help="as whose worth buckets are filled (50 million)")
    parser.add_argument("--months", type=int, default=36, help="of invoices for each customer (36)")
    parser.add_argument("--users", type=int, default=20, help="at the same time (20); every fifth is an operator")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds that a reader looks at a page, on average (1)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the web server (2)")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--warm", type=float, default=15.0, help="seconds before them that do not count: programs load, caches fill (15)"
    )
    parser.add_argument(
        "--keep", type=Path, help="a folder that keeps the filled PostgreSQL, or has kept it; else it is gone afterwards"
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name,
        database(options.keep) as (url, version),
        valkey(Path(name)) as redis,
    ):
        folder = Path(name)
        env = environment(folder, DATABASE_URL=url, REDIS_URL=redis)
        say(f"filling {version}")
        sizes = (options.customers, options.machines, options.months, options.samples)
        with running("crowd", *sizes, env=env) as filling:
            filled = filling.answer()
        say(f"filled in {filled['seconds']} s; opening each page alone")
        weighed = _weighed(filled, env)
        with site(folder, env, "--workers", str(options.workers)) as served:
            say(f"{options.users} users for {options.warm + options.seconds:.0f} s")
            took = _visited(served.address, filled, options)
    known = {key: value for key, value in vars(options).items() if key not in ("keep", "name", "json")}
    return {"machine": facts([version]), **known, "buckets": filled["buckets"]} | _figures(took, weighed)


def _weighed(filled: dict[str, Any], env: dict[str, str]) -> dict[str, dict[str, int]]:
    """What each page costs where nobody else asks. Raise BenchmarkError for one that does not open."""
    people = [(page, filled["members"][0]) for page in PORTAL] + [(page, filled["operator"]) for page in ADMIN]
    with running("weighed", env=env) as scales:
        scales.tell(json.dumps([[page.format(**person), person["cookie"]] for page, person in people]))
        weighed = dict(zip((page for page, _ in people), scales.answer(), strict=True))
    for page, known in weighed.items():
        if known.pop("status") != 200:
            raise BenchmarkError(f"{page} does not open")
    return weighed


@dataclass
class Visit:
    """Twenty people, and what came of it: how long each page took, in ms, once everything was warm."""

    address: str
    pause_s: float
    counted_from: float
    until: float
    took: dict[str, list[float]] = field(default_factory=lambda: {page: [] for page in (*PORTAL, *ADMIN)})
    problems: list[str] = field(default_factory=list)

    def read(self, person: dict[str, str], pages: Sequence[str], seed: int) -> None:
        """One person: a page, a look at it, the next page, all of them in an order of their own and again."""
        chance = random.Random(seed)  # noqa: S311  The same walk every time.
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        for page in cycle(chance.sample(pages, len(pages))):
            if time.monotonic() > self.until or self.problems:
                return
            self._open(connection, page, person)
            time.sleep(chance.uniform(0, 2 * self.pause_s))

    def _open(self, connection: http.client.HTTPConnection, page: str, person: dict[str, str]) -> None:
        began = time.monotonic()
        connection.request("GET", page.format(**person), headers={"Cookie": person["cookie"], "Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        if began >= self.counted_from:
            self.took[page].append((time.monotonic() - began) * 1000)
        if answer.status != 200:
            self.problems.append(f"{page} answered {answer.status}")


def _visited(address: str, filled: dict[str, Any], options: argparse.Namespace) -> dict[str, list[float]]:
    """Let people look at pages until the time is up. Return how long each page took."""
    start = time.monotonic() + options.warm
    visit = Visit(address, options.pause, start, start + options.seconds)
    with ThreadPoolExecutor(options.users) as people:
        for number in range(options.users):
            member = filled["members"][number % len(filled["members"])]
            who, pages = (filled["operator"], ADMIN) if number % 5 == 4 else (member, PORTAL)
            people.submit(visit.read, who, pages, number).add_done_callback(lambda done: done.result())
    if visit.problems:
        raise BenchmarkError(visit.problems[0])
    return visit.took


def _figures(took: dict[str, list[float]], weighed: dict[str, dict[str, int]]) -> dict[str, Any]:
    pages = {
        page: {"p50": round(percentile(times, 50)), "p95": round(percentile(times, 95)), "views": len(times)} | weighed[page]
        for page, times in took.items()
        if times
    }
    unseen = [page for page, times in took.items() if not times]
    return {"pages": pages, "unseen": unseen, "failed": bool(unseen) or any(page["p95"] > SLOWEST_MS for page in pages.values())}


def text(figures: dict[str, Any]) -> str:
    row = "{:<52}" + "{:>9}" * len(MEASURES)
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['machines']} machines of {figures['customers']} customers, {figures['buckets']:,} buckets, "
            f"{figures['months']} months of invoices; {figures['users']} users who look at a page for {figures['pause']} s on "
            f"average, {figures['workers']} server processes; ms, and what a page takes alone",
            row.format("", *MEASURES),
            *(row.format(page, *(known[name] for name in MEASURES)) for page, known in figures["pages"].items()),
            *(f"{page} was not seen: more --seconds, please" for page in figures["unseen"]),
            f"each within {SLOWEST_MS} ms (p95): {'NO' if figures['failed'] else 'yes'}",
        ]
    )
