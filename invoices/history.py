"""What was invoiced for each month, for the picture above the list of invoices."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from invoices.models import Invoice

MONTHS = 24  # As many bars as can be told apart on a phone.


@dataclass(frozen=True, slots=True)
class InvoicedMonth:
    """The final invoices of one period together; a voided one counts for nothing."""

    start: datetime
    total_minor: int
    owed_minor: int

    @property
    def settled_minor(self) -> int:
        """What is paid or was credited."""
        return self.total_minor - self.owed_minor


def history(rows: Iterable[Invoice]) -> list[InvoicedMonth]:
    """Return the last months, the oldest first. The rows must be ready to say whether they are paid."""
    found: dict[datetime, InvoicedMonth] = {}
    for row in rows:
        if row.state == Invoice.State.FINALISED and row.status != "void":
            known = found.get(row.period_start, InvoicedMonth(row.period_start, 0, 0))
            owed = known.owed_minor + row.outstanding_minor
            found[row.period_start] = InvoicedMonth(row.period_start, known.total_minor + row.total_minor, owed)
    return [found[start] for start in sorted(found)][-MONTHS:]
