"""The only door from usage to money: what each machine of a customer used in a span of quarter hours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum

from accounts.models import Customer
from usage.meters import COLUMNS, QUANTITY_COLUMNS
from usage.models import UsageBucket
from usage.periods import BUCKET_MS, to_ms


@dataclass(frozen=True, slots=True)
class MachineTotals:
    """One machine's sums: meter code to integer base units, and how many milliseconds were metered."""

    machine_id: int
    code: str
    name: str
    machine_class: str
    covered_ms: int
    quantities: Mapping[str, int]


def totals(customer: Customer, start: datetime, end: datetime) -> list[MachineTotals]:
    """Return the sums over [start, end) of each machine with usage, by machine code.

    Both ends must be aware and on a quarter hour; anything else raises ValueError, because it could not be exact.
    """
    start_ms, end_ms = to_ms(start), to_ms(end)
    if start_ms % BUCKET_MS or end_ms % BUCKET_MS:
        raise ValueError("Usage is kept by the quarter hour: both ends must be on one.")
    rows: Iterable[Mapping[str, Any]] = (
        UsageBucket.objects.filter(machine__customer=customer, start_ms__gte=start_ms, start_ms__lt=end_ms)
        .values("machine_id", "machine__code", "machine__name", "machine__machine_class")
        .annotate(**{f"sum_{column}": Sum(column) for column in (*QUANTITY_COLUMNS, "covered_ms")})
        .order_by("machine__code")
    )
    return [_machine_totals(row) for row in rows]


def _machine_totals(row: Mapping[str, Any]) -> MachineTotals:
    return MachineTotals(
        machine_id=row["machine_id"],
        code=row["machine__code"],
        name=row["machine__name"] or row["machine__code"],
        machine_class=row["machine__machine_class"],
        covered_ms=int(row["sum_covered_ms"]),
        quantities={meter: sum(int(row[f"sum_{column}"]) for column in columns) for meter, columns in COLUMNS.items()},
    )
