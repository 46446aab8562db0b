"""Reads for the portal: a customer's machines, whether each one reports, and how much of a period it was metered."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.db.models import Min, Sum

from accounts.models import Customer
from usage.coverage import LATE_MS, due_ms
from usage.models import Machine, UsageDay
from usage.parts import parts, quarter_hours
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
    """Return a customer's machines, those that need attention first. A few queries, however many machines."""
    machines = list(customer.machines.order_by("code"))
    return rows_of(machines, period, now_ms, customer.zone)


def rows_of(machines: Sequence[Machine], period: Period, now_ms: int, zone: ZoneInfo | None = None) -> list[MachineRow]:
    """Return the rows of these machines, those that need attention first. Two queries.

    With the zone of their one customer, a long period is read from its days, which takes up to six.
    """
    covered = _covered(machines, period, zone)
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


def _covered(machines: Sequence[Machine], period: Period, zone: ZoneInfo | None) -> dict[int, tuple[int, int]]:
    """Milliseconds metered in the period and the first quarter hour that has some, by machine."""
    ids = [machine.pk for machine in machines]
    found: dict[int, tuple[int, int]] = {}
    for part in parts(ids, period, zone) if zone else [quarter_hours(ids, period.start_ms, period.end_ms)]:
        first = "first_ms" if part.model is UsageDay else "start_ms"
        for row in part.values("machine_id").annotate(covered=Sum("covered_ms"), first=Min(first)).order_by():
            covered, earliest = found.get(row["machine_id"], (0, row["first"]))
            found[row["machine_id"]] = covered + int(row["covered"]), min(earliest, row["first"])
    return found


def _coverage(machine: Machine, covered: tuple[int, int] | None, period: Period, now_ms: int) -> Fraction | None:
    """The share metered of the time in which a machine was there."""
    if covered is None or not covered[0]:  # Readings without an interval cover nothing, and miss nothing either.
        return None
    covered_ms, first_ms = covered
    due = due_ms(machine, first_ms, period, now_ms)
    return min(Fraction(1), Fraction(covered_ms, due)) if due else None
