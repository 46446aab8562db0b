"""Messages that came before their time, from machines whose clock is ahead: what they hold is stored once its time has come.

Enrolled agents stamp by the server's clock, so this is for all others, and for an agent that has not reached the server yet.
"""

import re
from datetime import timedelta

from django.conf import settings
from django.utils.timezone import now

from usage.desk import replay_rejected
from usage.models import Reason, RejectedMessage
from usage.periods import to_ms
from usage.wire import DAY_MS, Limits
from usage.wire_errors import Refused

LEAD = re.compile(r"ends (\d{1,12}) s after the server's clock")
AT_MOST = 2_000


def store_due() -> int:
    """Replay the messages that were refused for their time alone, now past. Return how many samples came in.

    Each is tried once: one that is refused for another reason waits for a person.
    """
    waiting = RejectedMessage.objects.filter(state=RejectedMessage.State.OPEN, reason=Reason.IN_FUTURE, replays=0)
    at = now()
    due = [
        pk
        for pk, since, detail in waiting.order_by("pk").values_list("pk", "rejected_at", "detail")
        if since + lead(detail) <= at
    ]
    return sum(_replayed(pk) for pk in due[:AT_MOST])


def lead(detail: str) -> timedelta:
    """How long after its refusal a message's time comes, as the refusal says; for one that does not say, never."""
    found = LEAD.search(detail)
    return timedelta(seconds=min(int(found[1]) + 1, 10**10)) if found else timedelta(days=36_500)


def _replayed(pk: int) -> int:
    try:
        return replay_rejected(pk, None, Limits(to_ms(now()), settings.USAGE_MAX_AGE_DAYS * DAY_MS)).replayed_samples
    except Refused:
        return 0
