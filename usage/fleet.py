"""Reads for the portal: a customer's machines, whether each one reports, and how much of a period it was metered."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from django.db.models import Min, Sum

from accounts.models import Customer
from usage.coverage import LATE_MS, due_ms
from usage.models import Machine, UsageBucket
from usage.periods import Period, to_ms
from usage.recent import Point, latest

SILENT_MS = 15 * 60_000


class State(StrEnum):
    """What a machine's last sample says about it, worst first."""

    SILENT = "silent"
    LATE = "late"
    WAITING = "waiting"
    REPORTING = "reporting"
    RETIRED = "retired"


ORDER = list(State)


@dataclass(frozen=True, slots=True)
class MachineRow:
    """One machine as the portal lists it. Coverage is a share of one; None where nothing was metered in the period."""

    machine: Machine
    state: State
    coverage: Fraction | None
    point: Point | None


def state_of(machine: Machine, now_ms: int) -> State:
    """Say whether a machine reports: late after a minute without a sample, silent after a quarter of an hour."""
    if machine.retired_at is not None and to_ms(machine.retired_at) <= now_ms:
        return State.RETIRED
    if not machine.last_seen_ms:
        return State.WAITING
    unseen_ms = now_ms - machine.last_seen_ms
    if unseen_ms > SILENT_MS:
        return State.SILENT
    return State.LATE if unseen_ms > LATE_MS else State.REPORTING


def fleet(customer: Customer, period: Period, now_ms: int) -> list[MachineRow]:
    """Return a customer's machines, those that need attention first. Three queries, however many machines."""
    machines = list(customer.machines.order_by("code"))
    return rows_of(machines, period, now_ms)


def rows_of(machines: Sequence[Machine], period: Period, now_ms: int) -> list[MachineRow]:
    """Return the rows of these machines, those that need attention first. Two queries."""
    covered = _covered(machines, period)
    points = latest(machines, now_ms)
    rows = [
        MachineRow(
            machine=machine,
            state=state_of(machine, now_ms),
            coverage=_coverage(machine, covered.get(machine.pk), period, now_ms),
            point=points.get(machine.code),
        )
        for machine in machines
    ]
    return sorted(rows, key=lambda row: (ORDER.index(row.state), str(row.machine)))


def count_of_states(rows: Sequence[MachineRow]) -> list[tuple[State, int]]:
    """Count the machines in each state that occurs, the good news first."""
    states = [row.state for row in rows]
    order = [State.REPORTING, State.LATE, State.SILENT, State.WAITING, State.RETIRED]
    return [(state, states.count(state)) for state in order if state in states]


def _covered(machines: Sequence[Machine], period: Period) -> dict[int, tuple[int, int]]:
    """Milliseconds metered in the period and the first quarter hour that has some, by machine."""
    rows = (
        UsageBucket.objects.filter(machine_id__in=[machine.pk for machine in machines])
        .filter(start_ms__gte=period.start_ms, start_ms__lt=period.end_ms)
        .values("machine_id")
        .annotate(covered=Sum("covered_ms"), first=Min("start_ms"))
        .order_by()
    )
    return {row["machine_id"]: (int(row["covered"]), int(row["first"])) for row in rows}


def _coverage(machine: Machine, covered: tuple[int, int] | None, period: Period, now_ms: int) -> Fraction | None:
    """The share metered of the time in which a machine was there."""
    if covered is None or not covered[0]:  # Readings without an interval cover nothing, and miss nothing either.
        return None
    covered_ms, first_ms = covered
    due = due_ms(machine, first_ms, period, now_ms)
    return min(Fraction(1), Fraction(covered_ms, due)) if due else None
