"""What beat calls for the usage's sake. A task is one call."""

import logging
import time

from celery import shared_task
from django.conf import settings
from django.utils.timezone import now

from usage import announcements, days, partitions
from usage.early import store_due
from usage.retention import prune
from usage.wire import DAY_MS

log = logging.getLogger(__name__)


@shared_task(name="usage.tasks.store_what_is_due", ignore_result=True)  # type: ignore[untyped-decorator]
def store_what_is_due() -> int:
    """Store what came before its time, once that has come."""
    return store_due()


@shared_task(name="usage.tasks.announce_silence", ignore_result=True)  # type: ignore[untyped-decorator]
def announce_silence() -> int:
    """Tell of machines that fell silent."""
    return announcements.announce_silence(int(time.time() * 1000))


@shared_task(name="usage.tasks.tend_samples")  # type: ignore[untyped-decorator]
def tend_samples() -> str:
    """Make next week's days, give every day its own partition, and prune what is past its retention."""
    now_ms = int(time.time() * 1000)
    partitions.make_ahead(now_ms)
    partitions.empty_default()
    pruned = list(prune(now_ms - settings.USAGE_RETENTION_DAYS * DAY_MS))
    for day in pruned:
        log.log(logging.ERROR if day.kept else logging.INFO, "Pruned %s", day)
    return f"{sum(day.samples for day in pruned if not day.kept)} samples of {len(pruned)} days pruned"


@shared_task(name="usage.tasks.sum_days")  # type: ignore[untyped-decorator]
def sum_days() -> str:
    """Sum the days that are over, and those that late usage has changed."""
    return f"{days.catch_up(now())} transactions"
