"""Budgets: a month whose running cost reaches the customer's amount is told once, by the number that the overview shows."""

import logging
from datetime import datetime

from django.utils.timezone import now

from accounts import notices
from accounts.models import Customer, Notice
from invoices.estimate import estimate
from invoices.gather import CurrencyError
from invoices.money import amount_text
from invoices.parts import NoPriceError

log = logging.getLogger(__name__)


def tell(at: datetime | None = None) -> int:
    """Look at every customer with a budget. Return how many notices are new; one who cannot be rated stops no other."""
    moment, told = at or now(), 0
    for customer in Customer.objects.filter(budget_minor__gt=0).order_by("pk"):
        try:
            told += _tell(customer, moment)
        except (NoPriceError, CurrencyError) as error:
            log.warning("the budget of %s cannot be looked at: %s", customer.code, error)
    return told


def _tell(customer: Customer, at: datetime) -> bool:
    cost, budget_minor = estimate(customer, at), customer.budget_minor or 0
    spent_minor = cost.total_minor + cost.credit_minor  # Whatever the wallet pays was spent, too.
    if spent_minor < budget_minor:
        return False
    facts = {
        "budget": amount_text(budget_minor, cost.currency),
        "spent": amount_text(spent_minor, cost.currency),
        "currency": cost.currency,
        "month": cost.period.start.isoformat(),
    }
    occasion = f"budget:{cost.period.start:%Y-%m-%d}:{budget_minor}"
    return notices.tell(customer, Notice.Kind.BUDGET, {occasion: facts}) is not None
