"""A process that bills its share of the customers: `python -m benchmarks.closing SHARE OF`. Then PDFs, on demand.

It prints a line when it is ready, closes the month of its customers at the next line it reads, and prints what that took;
at a line with a number it makes so many PDFs.
"""

import json
import sys
import time
from datetime import timedelta
from typing import Any

import django

from accounts.formats import UTC_ZONE
from usage.periods import month

PERIOD = month(2026, 9, UTC_ZONE)  # Thirty days.


def main(share: int, of: int) -> None:
    django.setup()
    from accounts.models import Customer

    customers = list(Customer.objects.order_by("pk"))[share::of]
    print(json.dumps({"customers": len(customers)}), flush=True)
    if sys.stdin.readline():
        print(json.dumps(close(customers)), flush=True)
    while line := sys.stdin.readline():
        print(json.dumps(papers(customers, int(line))), flush=True)


def close(customers: list[Any]) -> dict[str, Any]:
    """Rate, number, freeze and book the month of each."""
    from invoices import billing
    from invoices.issued import Invoice

    at = PERIOD.end + timedelta(hours=25)
    began, cpu = time.monotonic(), time.process_time()
    for customer in customers:
        billing.close(customer, at)
    ended = time.monotonic()
    final = Invoice.objects.final().filter(customer__in=customers).count()
    return {"began": began, "ended": ended, "final": final, "cpu_s": round(time.process_time() - cpu, 1)}


def papers(customers: list[Any], count: int) -> dict[str, Any]:
    from invoices import documents
    from invoices.issued import Invoice

    began = time.monotonic()
    made = [documents.pdf(invoice) for invoice in Invoice.objects.filter(customer__in=customers).order_by("pk")[:count]]
    return {"began": began, "ended": time.monotonic(), "pdfs": len(made), "bytes": sum(map(len, made))}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
