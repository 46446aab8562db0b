"""What of usage is told to a customer's own programs, by webhook: machines that fell silent, usage that was refused."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.db.models import Min, Q

from accounts import outbox
from usage.fleet import SILENT_MS
from usage.models import Machine, RejectedMessage
from usage.periods import from_ms
from usage.silences import newly_silent

SILENT, REJECTED = "machine.silent", "usage.rejected"
HOUR_MS = 3_600_000


def announce_silence(now_ms: int) -> int:
    """Tell, once for each silence, of machines that sent nothing for a quarter of an hour. Return how many are new.

    A silence that began before anybody wanted to know is not told, nor one that is over a day old.
    """
    due = {f"{SILENT}:{machine.pk}:{machine.last_seen_ms}": machine for machine in _newly_silent(now_ms)}
    for cause in due.keys() - outbox.told(due):
        machine = due[cause]
        last = from_ms(machine.last_seen_ms).isoformat().replace("+00:00", "Z")
        data = {"machine": machine.code, "name": machine.name, "last_seen_at": last}
        outbox.emit(machine.customer_id, SILENT, cause, data)
    return len(due)


def announce_rejected(rows: Sequence[RejectedMessage], using: str) -> None:
    """Tell, in the transaction that stores them, of refused messages: the first of an hour by machine and reason.

    A machine that repeats itself would otherwise flood its owner; the count is of this batch.
    """
    counts = Counter((row.machine_code, row.reason) for row in rows)
    wanted = Q(customer__webhooks__enabled=True, customer__webhooks__events__contains=REJECTED)
    machines = Machine.objects.using(using).filter(wanted, code__in={code for code, _ in counts}).distinct()
    for machine in machines:
        for (code, reason), count in counts.items():
            if code == machine.code:
                first = next(row for row in rows if (row.machine_code, row.reason) == (code, reason))
                cause = f"{REJECTED}:{machine.pk}:{reason}:{first.timestamp_ms // HOUR_MS}"
                data = {"machine": code, "reason": reason, "detail": first.detail, "messages": count}
                outbox.emit(machine.customer_id, REJECTED, cause, data, using=using)


def _newly_silent(now_ms: int) -> Iterator[Machine]:
    wanted = Q(customer__webhooks__enabled=True, customer__webhooks__events__contains=SILENT)
    machines = newly_silent(now_ms).filter(wanted).annotate(wanted_since=Min("customer__webhooks__created_at"))
    for machine in machines:
        if from_ms(machine.last_seen_ms) + timedelta(milliseconds=SILENT_MS) >= machine.wanted_since:
            yield machine
