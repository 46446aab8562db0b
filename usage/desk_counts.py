"""Reads for the desk: how many messages were refused for each reason, and what became of them."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Q

from usage.models import Reason, RejectedMessage


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many messages were refused for one reason, by what became of them."""

    reason: str
    label: str
    open: int
    replayed: int
    discarded: int
    oldest_open: datetime | None
    newest: datetime


def reason_counts() -> list[ReasonCount]:
    """Count the desk by reason, the fullest first. One query."""
    states = {state: Count("pk", filter=Q(state=state)) for state in RejectedMessage.State.values}
    rows = (
        RejectedMessage.objects.order_by()
        .values("reason")
        .annotate(oldest=Min("rejected_at", filter=Q(state=RejectedMessage.State.OPEN)), newest=Max("rejected_at"), **states)
    )
    names = ("reason", "open", "replayed", "discarded", "oldest", "newest")
    found = [
        ReasonCount(reason, Reason(reason).label, still_open, replayed, discarded, oldest, newest)
        for reason, still_open, replayed, discarded, oldest, newest in rows.values_list(*names)
    ]
    return sorted(found, key=lambda count: (-count.open, count.label))
