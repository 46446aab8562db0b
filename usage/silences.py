"""Machines that fell silent, told to their people once for each silence. Paused agents and retired machines are meant to be."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.timezone import now

from accounts import notices
from accounts.models import Customer, Notice
from usage.fleet import SILENT_MS
from usage.models import Machine
from usage.periods import from_ms, to_ms

# An older silence is known, or nobody minds it.
LOOK_BACK_MS = 24 * 3_600_000


def newly_silent(now_ms: int) -> QuerySet[Machine]:
    """The machines that sent nothing for a quarter of an hour, of those that are not retired and not silent for a day."""
    there = Q(retired_at=None) | Q(retired_at__gt=from_ms(now_ms))
    return Machine.objects.filter(there, last_seen_ms__gt=now_ms - LOOK_BACK_MS, last_seen_ms__lt=now_ms - SILENT_MS)


def tell(now_ms: int | None = None) -> int:
    """Tell of every machine that sent nothing for a quarter of an hour. Return how many notices; a customer gets one."""
    silent = newly_silent(to_ms(now()) if now_ms is None else now_ms)
    found: dict[Customer, dict[str, dict[str, Any]]] = {}
    for machine in silent.exclude(agent_state__state="paused").select_related("customer").order_by("code"):
        occasion = f"machine:{machine.pk}:silent:{machine.last_seen_ms}"
        facts = {"code": machine.code, "name": str(machine), "since": from_ms(machine.last_seen_ms).isoformat()}
        found.setdefault(machine.customer, {})[occasion] = facts
    return sum(notices.tell(customer, Notice.Kind.SILENT, happened) is not None for customer, happened in found.items())
