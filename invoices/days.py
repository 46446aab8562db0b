"""What was used day by day, for the chart on an invoice: kept with the first line of each meter, as all that is printed is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from accounts.models import Customer
from invoices.rating import Line
from usage.meters import METERS
from usage.periods import Period, days_of
from usage.totals import by_day


def with_days(customer: Customer, lines: Sequence[Line]) -> list[Line]:
    """Return lines, the first of each meter with what was used on each local day of the time billed, in base units.

    Only machines that the meter's lines name are counted; eight queries at most, however many lines and days.
    """
    usage = [line for line in lines if line.kind == "usage" and line.meter in METERS]
    if not usage:
        return list(lines)
    span = Period(min(line.span.start for line in usage), max(line.span.end for line in usage))
    days = list(days_of(span, customer.zone))
    used = by_day(customer, days, {line.meter for line in usage})
    first: dict[str, Line] = {}
    for line in usage:
        first.setdefault(line.meter, line)
    return [_with(line, usage, days, used, customer) if line is first.get(line.meter) else line for line in lines]


def _with(
    line: Line, usage: Sequence[Line], days: Sequence[Period], used: Mapping[str, Mapping[str, Sequence[int]]], customer: Customer
) -> Line:
    codes = {machine["code"] for other in usage if other.meter == line.meter for machine in other.derivation["machines"]}
    each = [used[code][line.meter] for code in sorted(codes & used.keys())]
    if not each:
        return line
    told: dict[str, Any] = {
        "first": days[0].start.astimezone(customer.zone).date().isoformat(),
        "quantities": [sum(of_day) for of_day in zip(*each, strict=True)],
    }
    return replace(line, derivation={**line.derivation, "days": told})
