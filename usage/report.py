"""Reads for people: what each machine used in each window of a span, cut into pages that cost the same wherever they lie."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Case, Sum, Value, When

from usage.meters import COLUMNS, QUANTITY_COLUMNS
from usage.models import Machine, UsageBucket
from usage.periods import Period

SUMS = {f"sum_{column}": Sum(column) for column in (*QUANTITY_COLUMNS, "covered_ms", "samples")}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one machine used in one window: meter code to base units. A window without usage is a cell of zeros."""

    machine: Machine
    window: Period
    covered_ms: int
    samples: int
    quantities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Grid:
    """Every window with every machine (by code), in that order; a cell is found by its place or by its name."""

    windows: Sequence[Period]
    machines: Sequence[Machine]

    def __len__(self) -> int:
        return len(self.windows) * len(self.machines)

    def place(self, start_ms: int, code: str) -> int:
        """Return where a cell of that name stands, or would stand: machines may come and go between two pages."""
        row = bisect_left(self.windows, start_ms, key=lambda window: window.start_ms)
        return row * len(self.machines) + bisect_left(self.machines, code, key=lambda machine: machine.code)

    def name(self, place: int) -> tuple[int, str]:
        """Return a cell's name: the start of its window and the code of its machine."""
        row, column = divmod(place, len(self.machines))
        return self.windows[row].start_ms, self.machines[column].code

    def cells(self, start: int, end: int) -> list[Cell]:
        """Return the cells in places [start, end) with one query."""
        width = len(self.machines)
        places = range(max(start, 0), min(end, len(self)))
        wanted = [(self.windows[place // width], self.machines[place % width]) for place in places]
        rows = _sums([window for window, _ in wanted], {machine.pk for _, machine in wanted})
        return [_cell(window, machine, rows.get((window.start_ms, machine.pk), {})) for window, machine in wanted]


def _sums(windows: Sequence[Period], machine_ids: set[int]) -> dict[tuple[int, int], Mapping[str, Any]]:
    """Sum the buckets of consecutive windows, by window and machine."""
    if not windows:
        return {}
    distinct = sorted(set(windows))
    until = [When(start_ms__lt=window.end_ms, then=Value(window.start_ms)) for window in distinct]
    rows = (
        UsageBucket.objects.filter(machine_id__in=machine_ids)
        .filter(start_ms__gte=distinct[0].start_ms, start_ms__lt=distinct[-1].end_ms)
        .annotate(window_ms=Case(*until, output_field=BigIntegerField()))
        .values("window_ms", "machine_id")
        .annotate(**SUMS)
        .order_by()
    )
    return {(row["window_ms"], row["machine_id"]): row for row in rows}


def _cell(window: Period, machine: Machine, row: Mapping[str, Any]) -> Cell:
    def total(column: str) -> int:
        return int(row.get(f"sum_{column}") or 0)

    quantities = {meter: sum(map(total, columns)) for meter, columns in COLUMNS.items()}
    return Cell(machine, window, total("covered_ms"), total("samples"), quantities)
