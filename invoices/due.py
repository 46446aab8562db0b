"""Which months of a customer are over and not billed yet: its invoices and subscriptions are read once, the rest is reckoned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import Customer
from invoices.gather import continued, ends_near
from invoices.models import Invoice, Subscription
from usage.periods import Period, month_of

# From the end of a subscription to the last month that may still bring a correction.
_LATE = timedelta(days=settings.USAGE_MAX_AGE_DAYS + 62)


Subscribed = Sequence[tuple[datetime, datetime | None]]


@dataclass(frozen=True, slots=True)
class Calendar:
    """What a customer subscribed to and what was billed, as it stood when it was read.

    `again` are the periods of void invoices that no final one covers: they are billed anew from edge to edge, and so count
    as billed. After a change of the customer's zone they are no longer what its calendar would say.
    """

    customer: Customer
    subscribed: Subscribed
    final: Sequence[Period]
    again: Sequence[Period]

    def period_at(self, at: datetime) -> Period:
        """Return the billing period that holds an instant; see gather.billing_period()."""
        month = month_of(at, self.customer.zone)
        ends = [period.end for period in (*self.final, *self.again) if ends_near(month, period.end)]
        return continued(month, max(ends, default=None))

    def open_periods(self, at: datetime) -> Iterator[Period]:
        """Yield what is over by `at` and no final invoice covers: voided periods as they were, then months, oldest first.

        The months begin with the first subscription. After the last one has ended they go on while a machine may still send
        usage; from then on only the newest is yielded, which holds what an operator admitted later.
        """
        if not self.subscribed:
            return
        yield from self.again
        start, last_end = self.subscribed[0][0], _last_end(self.subscribed)
        while _over_at(self.subscribed, period := self.period_at(start)) <= at:
            start = period.end
            late = last_end is not None and period.end > last_end + _LATE and self.period_at(start).end <= at
            if not late and not _overlaps(period, self.again) and not _overlaps(period, self.final):
                yield period


def calendar_of(customer: Customer) -> Calendar:
    """Read a customer's calendar. Two queries, however many months there are."""
    issued = Invoice.objects.filter(customer=customer, state=Invoice.State.FINALISED).order_by("period_start", "-period_end")
    rows = list(issued.values_list("period_start", "period_end", "voiding"))
    final = [Period(start, end) for start, end, voiding in rows if voiding is None]
    again: list[Period] = []
    for start, end, voiding in rows:
        if voiding is not None and not _overlaps(period := Period(start, end), [*final, *again]):
            again.append(period)
    return Calendar(customer, _subscribed(customer), final, again)


def over_at(customer: Customer, period: Period) -> datetime:
    """Return when a period is over: at its end, or already when the last subscription ends in it, and with it all use."""
    return _over_at(_subscribed(customer), period)


def _subscribed(customer: Customer) -> Subscribed:
    return list(Subscription.objects.filter(customer=customer).order_by("start").values_list("start", "end"))


def _over_at(subscribed: Subscribed, period: Period) -> datetime:
    last = _last_end(subscribed)
    return last if last is not None and period.start < last < period.end else period.end


def _last_end(subscribed: Subscribed) -> datetime | None:
    """When the last subscription has ended; None while one goes on."""
    ends = [end for _, end in subscribed if end is not None]
    return max(ends) if ends and len(ends) == len(subscribed) else None


def _overlaps(one: Period, others: Sequence[Period]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in others)
