"""Where a period's cost comes from: by day and by machine, in whole minor units that add up to the lines.

A day is the difference of two running totals, so that days add up to the month whatever the tiers. A base fee and a
correction belong to no day and to no machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.utils.timezone import now

from accounts.models import Customer
from invoices.estimate import Estimate
from invoices.gather import billing_period, customer_slices, machine_usage, meters_of, parts_of, quarter_after
from invoices.levels import Exact, before
from invoices.money import spread, to_minor
from invoices.parts import Slice
from invoices.rating import MachineUsage, Part, charges_of
from usage.periods import Period, days_of
from usage.totals import totals_between


@dataclass(frozen=True, slots=True)
class DaySpend:
    """One local day: minor units by series name, in the order of SpendByDay.series."""

    day: date
    span: Period
    amounts: Mapping[str, int]

    @property
    def total_minor(self) -> int:
        """The day's sum over all series."""
        return sum(self.amounts.values())


@dataclass(frozen=True, slots=True)
class SpendByDay:
    """The days of a period so far. `series` are the names of the prices that made a cost, in the plan's order."""

    currency: str
    timezone: str
    period: Period
    series: tuple[str, ...]
    days: tuple[DaySpend, ...]

    @property
    def total_minor(self) -> int:
        """Usage without base fee and corrections: what the usage lines add up to."""
        return sum(day.total_minor for day in self.days)


@dataclass(frozen=True, slots=True)
class MachineSpend:
    """One machine's share of the usage lines, in minor units."""

    code: str
    name: str
    amounts: Mapping[str, int]

    @property
    def amount_minor(self) -> int:
        """The machine's sum over all lines."""
        return sum(self.amounts.values())


def cost_by_day(
    customer: Customer, period: Period | None = None, at: datetime | None = None, known: Sequence[Slice] = ()
) -> SpendByDay:
    """Return what each local day of a period (default: the running one) cost so far. Seven queries, however many days.

    Two where the period's slices are `known`, as an estimate knows them.
    """
    moment = at or now()
    period = period or billing_period(customer, moment)
    until = max(period.start, min(quarter_after(moment), period.end))
    days = [day for day in days_of(period, customer.zone) if day.start < until]
    pieces = known or customer_slices(customer, period)
    names = list(dict.fromkeys(price.name for piece in pieces for price in piece.version.prices if price.meter))
    spans = _usage_between(customer, pieces, [day.end for day in days], Period(period.start, until))
    plain = not any(price.needs_more_than_sums for piece in pieces for price in piece.version.prices)
    parts = [Part(piece.span, piece.version, ()) for piece in pieces] if plain else parts_of(customer, pieces, moment)
    running = [_running_total(customer, period, parts, spans, day.end) for day in days]
    spent = tuple(
        DaySpend(
            day=day.start.astimezone(customer.zone).date(),
            span=day,
            amounts={name: after.get(name, 0) - before.get(name, 0) for name in names},
        )
        for day, before, after in zip(days, [{}, *running], running, strict=False)
    )
    series = tuple(name for name in names if any(day.amounts[name] for day in spent))
    return SpendByDay(customer.currency, customer.timezone, period, series, spent)


def cost_by_machine(estimate: Estimate) -> list[MachineSpend]:
    """Return each machine's share of an estimate's usage lines, dearest first. No query.

    A line is shared in proportion to quantity and in whole minor units, so machines add up to the lines.
    """
    names: dict[str, str] = {}
    amounts: dict[str, dict[str, int]] = {}
    for line in estimate.lines:
        if line.kind != "usage":
            continue
        machines = line.derivation["machines"]
        for machine, share in zip(machines, spread(line.amount_minor, [row["quantity"] for row in machines]), strict=True):
            names[machine["code"]] = machine["name"]
            of_machine = amounts.setdefault(machine["code"], {})
            of_machine[line.name] = of_machine.get(line.name, 0) + share
    spent = [MachineSpend(code, names[code], by_line) for code, by_line in amounts.items()]
    return sorted(spent, key=lambda machine: (-machine.amount_minor, machine.code))


def _usage_between(
    customer: Customer, pieces: Sequence[Slice], day_ends: Sequence[datetime], metered: Period
) -> list[tuple[Period, list[MachineUsage]]]:
    """Return usage between all the instants at which a day ends or another price takes over, in one sweep."""
    inner = {instant for piece in pieces for instant in (piece.span.start, piece.span.end)} | set(day_ends)
    edges = sorted({metered.start, metered.end} | {edge for edge in inner if metered.start < edge < metered.end})
    meters = meters_of(pieces)
    if len(edges) < 2 or not meters:
        return []
    spans = [Period(start, end) for start, end in zip(edges, edges[1:], strict=False)]
    return list(zip(spans, map(machine_usage, totals_between(customer, edges, meters)), strict=True))


def _running_total(
    customer: Customer, period: Period, parts: Sequence[Part], spans: Sequence[tuple[Period, list[MachineUsage]]], end: datetime
) -> dict[str, int]:
    """Return what each usage line would say if the period had ended at `end`, in minor units by line name."""
    total: dict[str, int] = {}
    for part in parts:
        inside = [usage for span, usage in spans if part.span.start <= span.start and span.end <= min(end, part.span.end)]
        usage = _until(part.usage, inside, end) if part.usage else _by_class(inside)
        for charge in charges_of(replace(part, usage=usage), period, customer.zone):
            if charge.price.meter:
                amount = to_minor(charge.exact, part.version.currency)
                total[charge.price.name] = total.get(charge.price.name, 0) + amount
    return total


def _until(usage: Sequence[MachineUsage], spans: Sequence[Sequence[MachineUsage]], end: datetime) -> list[MachineUsage]:
    """Machines one by one with what they used up to an instant, for prices that ask which machine, or when."""
    sums: dict[str, dict[str, Exact]] = {}
    for machine in (machine for usage in spans for machine in usage):
        of_machine = sums.setdefault(machine.code, {})
        for meter, quantity in machine.quantities.items():
            of_machine[meter] = of_machine.get(meter, 0) + quantity
    return [
        replace(
            machine,
            quantities=sums.get(machine.code, {}),
            slots={meter: before(slots, end) for meter, slots in machine.slots.items()},
        )
        for machine in usage
    ]


def _by_class(spans: Sequence[Sequence[MachineUsage]]) -> list[MachineUsage]:
    """Add usage up by machine class, which is all that a price can tell apart."""
    sums: dict[str, dict[str, Exact]] = {}
    for machine in (machine for usage in spans for machine in usage):
        of_class = sums.setdefault(machine.machine_class, {})
        for meter, quantity in machine.quantities.items():
            of_class[meter] = of_class.get(meter, 0) + quantity
    return [MachineUsage(code="", quantities=quantities, machine_class=name) for name, quantities in sums.items()]
