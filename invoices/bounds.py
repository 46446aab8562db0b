"""Safety bounds: what no right invoice can say. A draft that breaks one is held until a person has let it pass.

Pure but for the last one, which reads what the customer was billed before.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from statistics import median_low
from typing import TypedDict

from accounts.models import Customer
from invoices.issued import Invoice
from invoices.money import amount_text, rounded_text
from invoices.rating import Line
from usage.meters import MS_PER_HOUR

TIMES_THE_MEDIAN = 10
MONTHS_LOOKED_BACK, MONTHS_NEEDED = 6, 3


class Breach(TypedDict):
    """Which bound is broken, and how, as a sentence for the operator."""

    bound: str
    text: str


def breaches(customer: Customer, lines: Sequence[Line], subtotal_minor: int, currency: str) -> list[Breach]:
    """Return what is wrong with the lines of a draft; nothing for almost every one."""
    found = (*_too_much_time(lines), *_twice(lines), *_too_much_money(customer, subtotal_minor, currency))
    return [Breach(bound=bound, text=text) for bound, text in found]


def _too_much_time(lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """A machine cannot be metered for longer than its time went on."""
    seen = set()
    for line in lines:
        for machine in line.derivation.get("machines", ()):
            covered = machine.get("covered_ms", 0)
            if covered > line.span.length_ms and machine["code"] not in seen:
                seen.add(machine["code"])
                yield "time", f"{machine['code']} was metered for {_hours(covered)} hours in {_hours(line.span.length_ms)}."


def _hours(ms: int) -> str:
    return rounded_text(Fraction(ms, MS_PER_HOUR), 2)


def _twice(lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """One machine's use of one meter in one span is charged by one plan."""
    usage = [
        (line, {machine["code"] for machine in line.derivation.get("machines", ())}) for line in lines if line.kind == "usage"
    ]
    for (one, mine), (other, theirs) in combinations(usage, 2):
        same_price = (one.plan_code, one.plan_version) == (other.plan_code, other.plan_version)
        overlap = one.span.start < other.span.end and other.span.start < one.span.end
        if one.meter == other.meter and overlap and not same_price and (both := sorted(mine & theirs)):
            yield (
                "twice",
                f"{one.meter} of {both[0]} is charged by {one.plan_name!r} and by {other.plan_name!r} for the same time.",
            )


def _too_much_money(customer: Customer, subtotal_minor: int, currency: str) -> Iterator[tuple[str, str]]:
    """Ten times what the last months came to is a mistake more often than growth."""
    before = Invoice.objects.final().filter(customer=customer, currency=currency).order_by("-period_start")
    sums = list(before.values_list("subtotal_minor", flat=True)[:MONTHS_LOOKED_BACK])
    if len(sums) < MONTHS_NEEDED:
        return
    usual = median_low(sums)
    if usual > 0 and subtotal_minor > TIMES_THE_MEDIAN * usual:
        yield (
            "amount",
            (
                f"{amount_text(subtotal_minor, currency)} {currency} is more than {TIMES_THE_MEDIAN} times"
                f" {amount_text(usual, currency)}, the median of the last {len(sums)} invoices."
            ),
        )
