"""When invoices are made, and when their mail is sent: each task is safe to run twice, or beside itself."""

from celery import shared_task

from accounts import mails, notices
from invoices import budgets, fleet, mailing, runs
from usage import silences


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


@shared_task(name="invoices.tasks.send_mail")  # type: ignore[untyped-decorator]
def send_mail(occasion: str) -> int:
    """Send the mail of one occasion to each of its addresses, as soon as it was asked for."""
    return sum(mails.send(pk, mailing.compose) for pk in mails.waiting(occasion=occasion))


@shared_task(name="invoices.tasks.send_waiting_mail")  # type: ignore[untyped-decorator]
def send_waiting_mail() -> int:
    """Send what waits: mail whose task was lost, and what failed before and is due again."""
    return sum(mails.send(pk, mailing.compose) for pk in mails.waiting())


@shared_task(name="invoices.tasks.remind")  # type: ignore[untyped-decorator]
def remind() -> int:
    """Ask for the reminders of invoices that are soon due or overdue."""
    return mailing.remind()


@shared_task(name="invoices.tasks.tell")  # type: ignore[untyped-decorator]
def tell() -> str:
    """Tell of machines that fell silent, budgets that were crossed and keys that expire soon."""
    return f"silent {silences.tell()}, budgets {budgets.tell()}, keys {notices.tell_of_expiring_keys()}"
