"""When invoices are made: every hour, one task per customer, each safe to run twice."""

from celery import shared_task

from invoices import fleet, runs


@shared_task(name="invoices.tasks.close_finished_periods")  # type: ignore[untyped-decorator]
def close_finished_periods() -> int:
    """Queue a task for each customer who ever subscribed, so that one that fails holds up no other."""
    return sum(close_customer.delay(pk) is not None for pk in runs.begin())


@shared_task(name="invoices.tasks.close_customer")  # type: ignore[untyped-decorator]
def close_customer(item_pk: int) -> list[str]:
    """Draft and, once its grace period is over, finalise each finished month of an item's customer."""
    return list(runs.work(item_pk).invoices)


@shared_task(name="invoices.tasks.record_fleet_load")  # type: ignore[untyped-decorator]
def record_fleet_load() -> str:
    """Record how busy the fleet was in the last hour, for prices that follow demand."""
    return str(fleet.record() or "nothing metered")
