"""Invoices a second: a month of quarter hours rated, finalised and stored, beside a plain loop in Decimal over the same data.

On PostgreSQL, one process a core, PDFs apart. The two must come to the same sum.
"""

import argparse
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.facts import facts, facts_text
from benchmarks.places import say
from benchmarks.programs import BenchmarkError, Program, environment, running
from invoices.money import amount_text
from tests.postgres import postgres

DAYS = 30
BILLED = """
SELECT SUM(total_minor) FROM invoices_invoice
WHERE customer_id IN (SELECT id FROM accounts_customer ORDER BY id LIMIT %s)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--customers", type=int, default=1_000, help="each with an invoice (1000)")
    parser.add_argument("--machines", type=int, default=5, help="of each customer (5)")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes (one a core)")
    parser.add_argument("--pdfs", type=int, default=100, help="how many PDFs to make afterwards (100)")
    parser.add_argument("--plain-customers", type=int, default=100, help="how many the plain loop bills (100)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="corehour-benchmark-") as name, postgres(durable=True) as url:
        env = environment(Path(name), DATABASE_URL=url)
        say(f"making {options.customers * options.machines * DAYS * 96:,} quarter hours")
        with running("billed", options.customers, options.machines, DAYS, env=env) as program:
            data = program.answer()
        figures: dict[str, Any] = {"machine": facts(["PostgreSQL"]), "customers": options.customers, "data": data}
        with contextlib.ExitStack() as stack:
            shares = [(share, options.workers) for share in range(options.workers)]
            programs = [stack.enter_context(running("closing", *share, env=env)) for share in shares]
            figures["closing"] = _close(programs, options)
            figures["pdf"] = _papers(programs, options.pdfs) if options.pdfs else None
        figures["plain"] = _plain(url, options, env, figures)
    return figures


def _close(programs: list[Program], options: argparse.Namespace) -> dict[str, Any]:
    for program in programs:
        program.answer()
    say(f"closing the month of {options.customers:,} customers with {len(programs)} processes")
    for program in programs:
        program.go()
    parts = [program.answer() for program in programs]
    final = sum(part["final"] for part in parts)
    if final != options.customers:
        raise BenchmarkError(f"{final} of {options.customers} invoices are final")
    seconds = _span(parts)
    return {
        "seconds": round(seconds, 1),
        "invoices_per_s": round(final / seconds, 1),
        "python_cpu_s": round(sum(part["cpu_s"] for part in parts), 1),
        "workers": len(programs),
    }


def _papers(programs: list[Program], count: int) -> dict[str, Any]:
    say(f"making {count} PDFs")
    for program in programs:
        program.tell(str(count // len(programs)))
    parts = [program.answer() for program in programs]
    made = sum(part["pdfs"] for part in parts)
    return {"pdfs": made, "per_s": round(made / _span(parts), 1), "mean_bytes": sum(part["bytes"] for part in parts) // made}


def _plain(url: str, options: argparse.Namespace, env: dict[str, str], figures: dict[str, Any]) -> dict[str, Any]:
    """The same customers by the plain loop, and whether both come to one sum."""
    count = min(options.plain_customers, options.customers)
    say(f"billing {count} customers by the plain loop")
    with running("plainly", url, count, env=env) as program:
        done = program.answer()
    with psycopg.connect(url) as connection:
        row = connection.execute(BILLED, [count]).fetchone()
    ours = amount_text(int(row[0]), "EUR") if row else ""
    if ours != done["total"]:
        raise BenchmarkError(f"the plain loop comes to {done['total']}, the invoices to {ours}")
    rate = count / done["seconds"]
    return {
        "customers": count,
        "seconds": round(done["seconds"], 1),
        "customers_per_s": round(rate, 1),
        "for_all_s": round(figures["customers"] / rate, 1),
        "total": done["total"],
        "times_as_fast": round(figures["closing"]["invoices_per_s"] / rate, 2),
    }


def _span(parts: list[dict[str, Any]]) -> float:
    return float(max(part["ended"] for part in parts) - min(part["began"] for part in parts))


def text(figures: dict[str, Any]) -> str:
    closing, plain, paper = figures["closing"], figures["plain"], figures["pdf"]
    lines = [
        facts_text(figures["machine"]),
        f"{figures['data']['buckets']:,} quarter hours of {figures['customers']:,} customers; their days were summed before,"
        f" as a task does all month, in {figures['data']['days_s']} s",
        f"rated, finalised, sealed and booked in {closing['seconds']} s with {closing['workers']} processes:"
        f" {closing['invoices_per_s']} invoices/s ({closing['python_cpu_s']} s of Python)",
        f"PDF/A: {paper['per_s']}/s, {paper['mean_bytes']:,} bytes each" if paper else "no PDFs asked for",
        f"a plain loop in Decimal, one process: {plain['customers']} customers in {plain['seconds']} s,"
        f" {plain['customers_per_s']}/s, so {plain['for_all_s']} s for all; the same sum, {plain['total']} EUR",
        f"{plain['times_as_fast']} times as fast as the plain loop",
    ]
    return "\n".join(lines)
