"""Does by hand what the hourly task does: rate a month, show it, and on demand store or finalise it."""

import re
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import now
from rich.console import Console
from rich.table import Column, Table

from accounts.models import Customer
from invoices import billing
from invoices.estimate import preview
from invoices.gather import CurrencyError, billing_period
from invoices.models import Invoice, InvoiceLine
from invoices.money import amount_text
from invoices.parts import NoPriceError
from invoices.rating import Line
from invoices.refusals import BillingError
from usage.periods import Period, month

_MONTH = re.compile(r"(20\d{2})-(0[1-9]|1[0-2])")
Lines = Sequence[Line] | Sequence[InvoiceLine]


class Command(BaseCommand):
    help = "Draft the invoices of a month (default: the last one). Running it again refreshes drafts and changes nothing final."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--period", metavar="YYYY-MM", help="a calendar month in each customer's zone")
        parser.add_argument("--customer", metavar="CODE", help="only this customer")
        parser.add_argument("--dry-run", action="store_true", help="show what would be billed and store nothing")
        parser.add_argument("--finalise", action="store_true", help="number and freeze them, grace period or not")

    def handle(self, *args: Any, period: str | None, customer: str | None, dry_run: bool, finalise: bool, **options: Any) -> None:
        if dry_run and finalise:
            raise CommandError("--dry-run stores nothing and --finalise does: choose one.")
        failed = 0
        for one in _customers(customer):
            try:
                self._bill(one, _period(one, period), dry_run=dry_run, finalise=finalise)
            except (BillingError, NoPriceError, CurrencyError) as error:
                self.stderr.write(f"{one.code}: {error}")
                failed += 1
        if failed:
            raise CommandError(f"{failed} customer(s) could not be billed; the reasons are above.")

    def _bill(self, customer: Customer, period: Period, *, dry_run: bool, finalise: bool) -> None:
        final = Invoice.objects.final().filter(customer=customer, period_start=period.start).first()
        if dry_run or final is not None:
            content = preview(customer, period)
            self._show(customer, period, content.lines, f"{final} is final already" if final else "not stored", content.currency)
            return
        if period.end > now():
            raise BillingError(f"the period runs until {period.end:%Y-%m-%d %H:%M} UTC; until then see it with --dry-run.")
        invoice = billing.draft(customer, period)
        if invoice is not None and finalise:
            invoice = billing.finalise(invoice)
        lines = list(invoice.lines.all()) if invoice else []
        self._show(customer, period, lines, str(invoice or "nothing to bill"), customer.currency)

    def _show(self, customer: Customer, period: Period, lines: Lines, state: str, currency: str) -> None:
        """Print a heading, and a table of lines where there are any."""
        first, last = period.start.astimezone(customer.zone), period.end.astimezone(customer.zone)
        span = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} {customer.timezone}"
        self.stdout.write(f"{customer.name} ({customer.code}), {span}: {state}")
        if not lines:
            return
        table = Table("Line", Column("Quantity", justify="right"), "Unit", Column(f"Amount {currency}", justify="right"))
        for line in lines:
            table.add_row(line.name, line.quantity_text, line.unit, amount_text(line.amount_minor, currency))
        table.add_section()
        table.add_row("Total", "", "", amount_text(sum(line.amount_minor for line in lines), currency))
        Console(file=self.stdout, width=110).print(table)  # type: ignore[arg-type]  # OutputWrapper writes text like a file.


def _customers(code: str | None) -> list[Customer]:
    if code is None:
        return list(Customer.objects.filter(subscriptions__isnull=False).distinct().order_by("code"))
    customer = Customer.objects.filter(code=code).first()
    if customer is None:
        raise CommandError(f"There is no customer with the code {code!r}.")
    return [customer]


def _period(customer: Customer, text: str | None) -> Period:
    """The month that was asked for, else the last one that is over."""
    if text is None:
        running = billing_period(customer, now())
        return billing_period(customer, running.start - (running.end - running.start) / 60)
    match = _MONTH.fullmatch(text)
    if match is None:
        raise CommandError(f"--period {text!r} is no month such as 2026-10.")
    asked = month(int(match.group(1)), int(match.group(2)), customer.zone)
    return billing_period(customer, asked.start + (asked.end - asked.start) / 2)
