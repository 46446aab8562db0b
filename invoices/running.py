"""The running cost as live pages carry it: the estimate's own numbers as strings, and written for the customer."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from channels.db import database_sync_to_async
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import formats
from accounts.models import Customer
from invoices.estimate import Estimate, estimate
from invoices.money import amount_text
from invoices.rating import Line
from usage.units import short_unit

INTERVAL_S = 2.0
# Closed months change seldom and are most of the work: a live number reads them once in so long.
CLOSED_KNOWN_FOR = timedelta(minutes=1)


def cost_message(customer: Customer) -> dict[str, Any]:
    """Rate the period so far. Money is decimal strings and ready-made text, never a float."""
    return message_of(estimate(customer), customer.locale)


def message_of(cost: Estimate, locale: str) -> dict[str, Any]:
    """Return an estimate as JSON for the socket, the endpoint and the first paint of the page."""
    return {
        "total": cost.total,
        "exact": cost.exact_text,
        "currency": cost.currency,
        "per_hour": None if cost.per_hour is None else str(formats.decimal_of(cost.per_hour, 4)),
        "at": cost.at.isoformat(),
        "text": {
            "exact": formats.running(Decimal(cost.exact_text), cost.currency, locale),
            "total": formats.money(Decimal(cost.total), cost.currency, locale),
            "rate": rate_words(cost, locale),
            "per_hour": rate_amount(cost, locale),
        },
        "lines": [line_message(line, cost, locale) for line in cost.lines],
    }


def rate_words(cost: Estimate, locale: str) -> str:
    """The cost of the last whole hour, in the language that is active; a socket knows none, so its page says it itself."""
    if cost.per_hour is None:
        return _("The hourly rate shows after the first full hour.")
    return _("%(amount)s in the last full hour.") % {"amount": rate_amount(cost, locale)}


def rate_amount(cost: Estimate, locale: str) -> str:
    """The cost of the last whole hour; with four digits where it is below one, as two would say little. "" before it is over."""
    if cost.per_hour is None:
        return ""
    digits = None if cost.per_hour >= 1 else 4
    return formats.money(formats.decimal_of(cost.per_hour, 4), cost.currency, locale, digits)


def line_message(line: Line, cost: Estimate, locale: str) -> dict[str, str]:
    """One line of the estimate: amounts and quantities as text, the bar as percent of the largest line."""
    largest = max((abs(other.amount_minor) for other in cost.lines), default=0)
    share = Fraction(abs(line.amount_minor), largest) if largest else Fraction(0)
    return {
        "key": f"{line.kind}:{line.charge_key}",
        "name": line.name,
        "amount": formats.money(Decimal(amount_text(line.amount_minor, cost.currency)), cost.currency, locale),
        "quantity": quantity_words(line, locale),
        "share": str(formats.decimal_of(share * 100, 1)),
    }


def quantity_words(line: Line, locale: str) -> str:
    """A line's quantity with its unit; nothing for a fee."""
    if line.kind != "usage" or not line.quantity_text:
        return ""
    return f"{formats.number(Decimal(line.quantity_text), 1, locale)} {short_unit(line.unit)}"


class CostMeter:
    """Rates each customer at most once in so many seconds, however many pages watch; the last usage is never missed."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self.interval_s = interval_s
        self._waiting: dict[int, asyncio.Task[dict[str, Any]]] = {}
        self._running: dict[int, asyncio.Task[dict[str, Any]]] = {}
        self._started: dict[int, float] = {}
        self._closed: dict[int, Estimate] = {}

    async def soon(self, customer_pk: int) -> dict[str, Any]:
        """Return the cost as of the next rating, which begins after this call: now, or when the pause is over."""
        task = self._waiting.get(customer_pk)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = asyncio.create_task(self._rate(customer_pk, self._running.get(customer_pk)))
            self._waiting[customer_pk] = task
        return await asyncio.shield(task)

    async def _rate(self, customer_pk: int, previous: asyncio.Task[dict[str, Any]] | None) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        if previous is not None and not previous.done() and previous.get_loop() is loop:
            await asyncio.wait([previous])
        await asyncio.sleep(max(0.0, self._started.get(customer_pk, -self.interval_s) + self.interval_s - loop.time()))
        self._started[customer_pk] = loop.time()
        self._running[customer_pk] = self._waiting.pop(customer_pk)
        return await database_sync_to_async(_message_for)(customer_pk, self._closed)


def _message_for(customer_pk: int, closed: dict[int, Estimate]) -> dict[str, Any]:
    """Rate the period so far, with the corrections that `closed` has of late, or else is given for the next time."""
    customer = Customer.objects.get(pk=customer_pk)
    recent = closed.get(customer_pk)
    if recent is not None and now() - recent.at >= CLOSED_KNOWN_FOR:
        recent = None
    cost = estimate(customer, recent=recent)
    if recent is None:
        closed[customer_pk] = replace(cost, lines=cost.corrections)
    return message_of(cost, customer.locale)
