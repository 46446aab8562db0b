"""The hourly run over all customers: one item each, safe to queue or deliver twice. A customer who fails is parked, no other."""

import logging
from datetime import datetime, timedelta

from django.utils.timezone import now

from accounts.models import Customer
from invoices import billing
from invoices.books import InvoiceRun, RunItem

log = logging.getLogger(__name__)
KEPT_FOR = timedelta(days=14)


def begin(at: datetime | None = None) -> list[int]:
    """Open the run of this hour and return its items that wait. A second beat in the same hour finds the same run."""
    moment = at or now()
    hour = moment.replace(minute=0, second=0, microsecond=0)
    run, _ = InvoiceRun.objects.get_or_create(hour=hour)
    InvoiceRun.objects.filter(hour__lt=hour - KEPT_FOR).delete()
    customers = Customer.objects.filter(subscriptions__isnull=False).distinct().order_by("pk")
    RunItem.objects.bulk_create((RunItem(run=run, customer=customer) for customer in customers), ignore_conflicts=True)
    return list(run.items.filter(state=RunItem.State.WAITING).order_by("pk").values_list("pk", flat=True))


def work(item_pk: int, at: datetime | None = None) -> RunItem:
    """Close the finished periods of an item's customer and note what came of it. An item that is done is left alone."""
    item = RunItem.objects.select_related("customer").get(pk=item_pk)
    if item.state != RunItem.State.WAITING:
        return item
    try:
        item.invoices = [str(invoice) for invoice in billing.close(item.customer, at)]
        item.state = RunItem.State.DONE
    except Exception as error:  # Whatever it is, it is this customer's alone and a person must read it.
        log.exception("%s is parked", item.customer.code)
        item.state, item.reason = RunItem.State.PARKED, f"{type(error).__name__}: {error}"
    item.finished_at = now()
    item.save(update_fields=["state", "reason", "invoices", "finished_at"])
    return item
