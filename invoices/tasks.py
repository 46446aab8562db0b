"""When invoices are made: every hour, one task per customer, each safe to run twice."""

from celery import shared_task

from accounts.models import Customer
from invoices import billing


@shared_task(name="invoices.tasks.close_finished_periods")  # type: ignore[untyped-decorator]
def close_finished_periods() -> int:
    """Queue a task for each customer who ever subscribed, so that one that fails holds up no other."""
    customers = Customer.objects.filter(subscriptions__isnull=False).distinct().values_list("pk", flat=True)
    return sum(close_customer.delay(pk) is not None for pk in customers)


@shared_task(name="invoices.tasks.close_customer")  # type: ignore[untyped-decorator]
def close_customer(customer_pk: int) -> list[str]:
    """Draft and, once its grace period is over, finalise each finished month of a customer. Return the invoices as text."""
    return [str(invoice) for invoice in billing.close(Customer.objects.get(pk=customer_pk))]
