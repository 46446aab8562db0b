"""The only door from usage to money: what each machine of a customer used in a span of quarter hours."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, IntegerField, Min, Sum, Value, When

from accounts.models import Customer
from usage.coverage import due_ms
from usage.grid import Grid, measured
from usage.meters import COLUMNS
from usage.models import Machine, UsageBucket
from usage.parts import parts
from usage.periods import BUCKET_MS, Period, to_ms

Used = tuple[int, int]  # Start of a quarter hour in epoch ms, and base units used in it.


@dataclass(frozen=True, slots=True)
class MachineTotals:
    """One machine's sums: meter code to integer base units; how many of the `due_ms` were metered, in how many buckets."""

    machine_id: int
    code: str
    name: str
    machine_class: str
    covered_ms: int
    quantities: Mapping[str, int]
    buckets: int = 0
    due_ms: int = 0


def totals(customer: Customer, start: datetime, end: datetime) -> list[MachineTotals]:
    """Return the sums over [start, end) of each machine with usage, by machine code.

    Both ends must be aware and on a quarter hour; anything else raises ValueError, because it could not be exact.
    """
    return totals_between(customer, [start, end])[0]


def totals_between(
    customer: Customer, edges: Sequence[datetime], meters: Collection[str] = COLUMNS.keys(), at_ms: int | None = None
) -> list[list[MachineTotals]]:
    """Return the same for each span between two neighbouring edges, in two queries however many there are.

    Naming the meters of interest leaves out the others, which makes a long span cheaper to read. What is not over at
    `at_ms` is due to be metered up to then.
    """
    edges_ms = [to_ms(edge) for edge in edges]
    if any(edge % BUCKET_MS for edge in edges_ms):
        raise ValueError("Usage is kept by the quarter hour: both ends must be on one.")
    if edges_ms != sorted(edges_ms):
        raise ValueError("The edges of the spans must be in order.")
    machines = {machine.pk: machine for machine in Machine.objects.filter(customer=customer).order_by("code")}
    order = {pk: place for place, pk in enumerate(machines)}
    spans: list[list[MachineTotals]] = [[] for _ in edges_ms[1:]]
    for row in sorted(_sums(list(machines), edges_ms, meters), key=lambda row: order[row["machine_id"]]):
        number = row["span"]
        due = due_ms(machines[row["machine_id"]], row["first_ms"], Period(edges[number], edges[number + 1]), at_ms)
        spans[number].append(_machine_totals(machines[row["machine_id"]], row, meters, due))
    return spans


def buckets(
    customer: Customer, start: datetime, end: datetime, meters: Collection[str], idle: Collection[str] = ()
) -> dict[str, dict[str, list[Used]]]:
    """Return when each machine used how much of some meters, by machine code and meter: quarter hours that are not zero.

    Of the meters in `idle` also those that are zero while the machine was metered, for a percentile counts them.
    For what a total cannot tell: hours of the day, prices that change, peaks. One query beside that of the machines.
    """
    codes = dict(Machine.objects.filter(customer=customer).order_by("code").values_list("pk", "code"))
    used: dict[str, dict[str, list[Used]]] = {}
    if not meters or not codes:
        return used
    columns = sorted({column for meter in meters for column in COLUMNS[meter]})
    places = {meter: [columns.index(column) + 2 for column in COLUMNS[meter]] for meter in meters}
    rows = UsageBucket.objects.filter(machine_id__in=list(codes), start_ms__gte=to_ms(start), start_ms__lt=to_ms(end))
    found = rows.order_by("machine_id", "start_ms").values_list("machine_id", "start_ms", *columns, "covered_ms")
    for row in found.iterator(5_000):
        of_machine = used.setdefault(codes[row[0]], {meter: [] for meter in meters})
        for meter, of_meter in places.items():
            quantity = sum(row[place] for place in of_meter)
            if quantity or (meter in idle and row[-1]):
                of_machine[meter].append((row[1], quantity))
    return used


def by_day(customer: Customer, days: Sequence[Period], meters: Collection[str]) -> dict[str, dict[str, list[int]]]:
    """Return what each machine used on each of some days that follow each other, by machine code and meter, in base units.

    Days are the customer's local ones; the first and the last may be cut on a quarter hour. From days that are summed already,
    where there are some: eight queries at most, however many days.
    """
    codes = dict(Machine.objects.filter(customer=customer).order_by("code").values_list("pk", "code"))
    grid = Grid(Period(days[0].start, days[-1].end), "day", customer.zone)
    columns = sorted({column for meter in meters for column in COLUMNS[meter]})
    used: dict[str, dict[str, list[int]]] = {}
    for part in parts(list(codes), grid.period, customer.zone):
        for row in grid.sums(part, columns, "machine_id"):
            of_machine = used.setdefault(codes[row["machine_id"]], {meter: [0] * len(days) for meter in meters})
            place = grid.place(row)
            for meter, of_meter in of_machine.items():
                of_meter[place] += measured(row, meter)
    return used


def fleet_cores(start: datetime, end: datetime) -> tuple[int, int]:
    """Return the core-milliseconds that all machines used in [start, end), and those they had while they were metered."""
    span = UsageBucket.objects.filter(start_ms__gte=to_ms(start), start_ms__lt=to_ms(end))
    rows = list(span.values("machine_id").annotate(used=Sum("cpu_ms"), metered=Sum("covered_ms")).order_by("machine_id"))
    cores = dict(Machine.objects.filter(pk__in=[row["machine_id"] for row in rows]).values_list("pk", "cores"))
    return sum(int(row["used"]) for row in rows), sum(cores.get(row["machine_id"], 0) * int(row["metered"]) for row in rows)


def _sums(machine_ids: list[int], edges_ms: list[int], meters: Collection[str]) -> list[dict[str, Any]]:
    """One row per machine and span. No join: the buckets may live in a database of their own."""
    columns = {column for meter in meters for column in COLUMNS[meter]} | {"covered_ms"}
    sums = {"buckets": Count("pk"), "first_ms": Min("start_ms"), **{f"sum_{column}": Sum(column) for column in columns}}
    rows = UsageBucket.objects.filter(machine_id__in=machine_ids, start_ms__gte=edges_ms[0], start_ms__lt=edges_ms[-1])
    if len(edges_ms) == 2:  # Grouped in the index's own order, which is twice as fast.
        return [{**row, "span": 0} for row in rows.values("machine_id").annotate(**sums).order_by("machine_id")]
    spans = [When(start_ms__lt=edge, then=Value(number)) for number, edge in enumerate(edges_ms[1:])]
    by_span = rows.annotate(span=Case(*spans, output_field=IntegerField())).values("machine_id", "span")
    return [dict(row) for row in by_span.annotate(**sums)]


def _machine_totals(machine: Machine, row: Mapping[str, Any], meters: Collection[str], due: int) -> MachineTotals:
    return MachineTotals(
        machine_id=machine.pk,
        code=machine.code,
        name=machine.name or machine.code,
        machine_class=machine.machine_class,
        covered_ms=int(row["sum_covered_ms"]),
        quantities={meter: sum(int(row[f"sum_{column}"]) for column in COLUMNS[meter]) for meter in meters},
        buckets=row["buckets"],
        due_ms=due,
    )
