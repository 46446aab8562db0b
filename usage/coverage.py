"""How long a machine could have been metered: what "coverage" is counted on, on every page and on the invoice."""

from usage.models import Machine
from usage.periods import Period, to_ms

LATE_MS = 60_000


def due_ms(machine: Machine, first_ms: int, period: Period, at_ms: int | None = None) -> int:
    """Milliseconds of a period in which a machine was there: from its creation, or its first bucket where that is earlier.

    Where the period still runs at `at_ms`, up to then; a machine that reports, up to its newest sample: what it has not
    sent yet is not missing.
    """
    start_ms = max(period.start_ms, min(to_ms(machine.created_at), first_ms))
    end_ms = period.end_ms
    if at_ms is not None and at_ms < period.end_ms:
        reports = machine.last_seen_ms and at_ms - machine.last_seen_ms <= LATE_MS
        end_ms = min(period.end_ms, machine.last_seen_ms if reports else at_ms)
    return max(0, end_ms - start_ms)
