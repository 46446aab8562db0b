"""How many requests the API answers: the ten main calls, asked by many programs at once, beside a bare DRF view."""

import argparse
import http.client
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from benchmarks.facts import facts, facts_text, percentile
from benchmarks.places import say
from benchmarks.programs import BenchmarkError, environment, running
from benchmarks.site import database, serving, site, valkey

SLOWEST_MS = 150
WARM_S = 1.0
QUOTE = {
    "currency": "USD",
    "period": {"start": "2026-10-01", "end": "2026-11-01"},
    "prices": [{"meter": "cpu", "model": "graduated", "tiers": [{"up_to": "100", "unit_price": "0.05"}, {"unit_price": "0.04"}]}],
    "usage": {"cpu": "150"},
}
# The ten main calls; {machine} and {invoice} are the asker's own.
CALLS = (
    ("GET", "/api/v1/customers/"),
    ("GET", "/api/v1/machines/"),
    ("GET", "/api/v1/machines/{machine}/"),
    ("GET", "/api/v1/usage/?granularity=day"),
    ("GET", "/api/v1/samples/?machine={machine}&limit=10"),
    ("GET", "/api/v1/estimate/"),
    ("GET", "/api/v1/invoices/"),
    ("GET", "/api/v1/invoices/{invoice}/"),
    ("GET", "/api/v1/plans/"),
    ("POST", "/api/v1/quotes/"),
)
BARE = ("GET", "/bare/")
COLUMNS = ("p50", "p95", "per_second", "busy_p95")
Call = tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clients", type=int, default=20, help="programs that ask at once, each for its own customer (20)")
    parser.add_argument("--machines", type=int, default=200, help="of all customers together (200)")
    parser.add_argument("--samples", type=int, default=20_000_000, help="as whose worth buckets are filled (20 million)")
    parser.add_argument("--months", type=int, default=12, help="of invoices for each customer (12)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the web server (2)")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between a program's requests on average, for p95 (0.5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="each call is asked, once with pauses and once without (5)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name,
        database() as (url, version),
        valkey(Path(name)) as redis,
    ):
        folder = Path(name)
        env = environment(folder, DATABASE_URL=url, REDIS_URL=redis, API_RATE="100000/min")
        say(f"filling {version}")
        sizes = (options.clients, options.machines, options.months, options.samples)
        with running("crowd", *sizes, env=env) as filling:
            filled = filling.answer()
        options.members = filled["members"]
        bare = env | {"DJANGO_SETTINGS_MODULE": "benchmarks.bare_settings"}
        with serving(folder, "benchmarks.bare:application", bare, "--workers", str(options.workers)) as served:
            calls = {" ".join(BARE): _measured(served.address, BARE, options)}
        with site(folder, env, "--workers", str(options.workers)) as served:
            calls |= {" ".join(call): _measured(served.address, call, options) for call in CALLS}
    del options.members
    slow = [name for name, known in calls.items() if known["p95"] > SLOWEST_MS]
    return {"machine": facts([version]), **vars(options), "calls": calls, "failed": bool(slow)}


def _measured(address: str, call: Call, options: argparse.Namespace) -> dict[str, float]:
    """Ask one call for a while, first with pauses and then as fast as it is answered."""
    say(" ".join(call))
    _asked(address, call, options, 0.0, WARM_S)  # A server process loads what it needs with its first answer.
    calm = _asked(address, call, options, options.pause, options.seconds)
    began = time.monotonic()
    busy = _asked(address, call, options, 0.0, options.seconds)
    lasted = time.monotonic() - began
    return {
        "p50": round(percentile(calm, 50), 1),
        "p95": round(percentile(calm, 95), 1),
        "per_second": round(len(busy) / lasted),
        "busy_p95": round(percentile(busy, 95), 1),
    }


def _asked(address: str, call: Call, options: argparse.Namespace, pause_s: float, seconds: float) -> list[float]:
    """Return how long each answer took, in ms. Raise BenchmarkError for one that is no success."""
    took: list[float] = []
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(options.clients) as programs:
        asking = [
            programs.submit(_ask, address, call, member, Random(number), until, pause_s)  # noqa: S311
            for number, member in enumerate(options.members)
        ]
        for each in asking:
            took += each.result()
    return took


def _ask(address: str, call: Call, member: dict[str, str], chance: Random, until: float, pause_s: float) -> list[float]:  # noqa: PLR0913
    """One program on one connection."""
    place, (method, path) = urlsplit(address), call
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    headers = {"Authorization": f"Bearer {member['key']}", "Content-Type": "application/json"}
    body = json.dumps(QUOTE) if method == "POST" else None
    took: list[float] = []
    while time.monotonic() < until:
        if pause_s:
            time.sleep(chance.uniform(0, 2 * pause_s))
        began = time.monotonic()
        connection.request(method, path.format(**member), body, headers)
        answer = connection.getresponse()
        said = answer.read()
        took.append((time.monotonic() - began) * 1000)
        if answer.status != 200:
            raise BenchmarkError(f"{path} answered {answer.status}: {said[:200]!r}")
    return took


def text(figures: dict[str, Any]) -> str:
    row = "{:<56}{:>7}{:>7}{:>9}{:>9}"
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"{figures['clients']} programs, {figures['machines']} machines, {figures['months']} months of invoices each, "
            f"{figures['workers']} server processes; ms with pauses of {figures['pause']} s, then as fast as it goes",
            row.format("", "p50", "p95", "a second", "p95 then"),
            *(row.format(call, *(known[name] for name in COLUMNS)) for call, known in figures["calls"].items()),
            f"each within {SLOWEST_MS} ms (p95): {'NO' if figures['failed'] else 'yes'}",
        ]
    )
