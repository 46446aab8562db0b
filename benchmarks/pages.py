"""How long pages take with a business behind them: 2,000 machines, buckets of 50 million samples, 36 months of invoices."""

import argparse
import contextlib
import http.client
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.facts import facts, facts_text, percentile
from benchmarks.places import say
from benchmarks.programs import BenchmarkError, environment, running
from benchmarks.site import database, site, valkey

SLOWEST_MS = 300
PORTAL = (
    "/",
    "/usage/",
    "/usage/?range=last-7-days&step=hour&compare=previous",
    "/usage/?group=meter",
    "/usage/?picture=heat",
    "/machines/",
    "/machines/{machine}/",
    "/invoices/",
    "/invoices/{invoice}/",
    "/invoices/preview/",
    "/plan/",
    "/settings/",
)
ADMIN = (
    "/admin/",
    "/admin/accounts/customer/",
    "/admin/usage/machine/",
    "/admin/usage/usagebucket/",
    "/admin/usage/rejectedmessage/",
    "/admin/invoices/invoice/",
    "/admin/invoices/rateplan/",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--customers", type=int, default=40, help="who share the machines (40)")
    parser.add_argument("--machines", type=int, default=2_000)
    parser.add_argument("--samples", type=int, default=50_000_000, help="as whose worth buckets are filled (50 million)")
    parser.add_argument("--months", type=int, default=36, help="of invoices for each customer (36)")
    parser.add_argument("--users", type=int, default=20, help="at the same time (20); one in ten is an operator")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds that a reader looks at a page, on average (1)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the web server (2)")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--database", default="", help="an empty PostgreSQL to fill and keep, or one that is filled; else a new one"
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name,
        _database(options.database) as (url, version),
        valkey(Path(name)) as redis,
    ):
        folder = Path(name)
        env = environment(folder, DATABASE_URL=url, REDIS_URL=redis)
        say(f"filling {version}")
        sizes = (options.customers, options.machines, options.months, options.samples)
        with running("crowd", *sizes, env=env) as filling:
            filled = filling.answer()
        figures = {"machine": facts([version]), **vars(options), "buckets": filled["buckets"]}
        with site(folder, env, "--workers", str(options.workers)) as served:
            say(f"{options.users} users for {options.seconds:.0f} s")
            return figures | _figures(_visited(served.address, filled, options))


def _database(url: str) -> contextlib.AbstractContextManager[tuple[str, str]]:
    """The database that was named, which stays, or one that is gone afterwards."""
    return contextlib.nullcontext((url, "the PostgreSQL that was named")) if url else database()


def _visited(address: str, filled: dict[str, Any], options: argparse.Namespace) -> dict[str, list[float]]:
    """Let people look at pages until the time is up. Return how long each page took, in ms."""
    took: dict[str, list[float]] = {page: [] for page in (*PORTAL, *ADMIN)}
    problems: list[str] = []
    until = time.monotonic() + options.seconds
    readers = []
    for number in range(options.users):
        is_operator = number % 10 == 9
        member = filled["members"][number % len(filled["members"])]
        person = member | {"cookie": filled["operator"]} if is_operator else member
        pages = ADMIN if is_operator else PORTAL
        what = (address, person, pages, number, until, options.pause, took, problems)
        readers.append(threading.Thread(target=_read, args=what))
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    if problems:
        raise BenchmarkError(problems[0])
    return took


def _read(  # noqa: PLR0913  One reader, all that a thread is told.
    address: str,
    person: dict[str, str],
    pages: Sequence[str],
    seed: int,
    until: float,
    pause_s: float,
    took: dict[str, list[float]],
    problems: list[str],
) -> None:
    """One person: a page, a look at it, the next page."""
    chance = random.Random(seed)  # noqa: S311  The same walk every time.
    place = urlsplit(address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    while time.monotonic() < until and not problems:
        page = chance.choice(pages)
        began = time.monotonic()
        connection.request("GET", page.format(**person), headers={"Cookie": person["cookie"], "Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        took[page].append((time.monotonic() - began) * 1000)
        if answer.status != 200:
            problems.append(f"{page} answered {answer.status}")
        time.sleep(chance.uniform(0, 2 * pause_s))


def _figures(took: dict[str, list[float]]) -> dict[str, Any]:
    pages = {
        page: {"p50": round(percentile(times, 50)), "p95": round(percentile(times, 95)), "count": len(times)}
        for page, times in took.items()
        if times
    }
    return {"pages": pages, "failed": any(page["p95"] > SLOWEST_MS for page in pages.values())}


def text(figures: dict[str, Any]) -> str:
    row = "{:<56}{:>7}{:>7}{:>7}"
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['machines']} machines of {figures['customers']} customers, {figures['buckets']:,} buckets, "
            f"{figures['months']} months of invoices; {figures['users']} users, {figures['workers']} server processes; ms",
            row.format("", "p50", "p95", "views"),
            *(row.format(page, known["p50"], known["p95"], known["count"]) for page, known in figures["pages"].items()),
            f"each within {SLOWEST_MS} ms (p95): {'NO' if figures['failed'] else 'yes'}",
        ]
    )
