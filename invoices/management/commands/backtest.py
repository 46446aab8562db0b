"""Rates past months anew under a plan file that nobody is billed by yet, and says who would pay more or less."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import now
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from accounts.models import Customer
from invoices import plan_file
from invoices.backtest import MOST_MONTHS, Tally, Tried, past_months, try_month
from invoices.catalogue import LONG_AGO
from invoices.plan_fields import PlanFileError
from invoices.terms import VersionTerms


class Command(BaseCommand):
    help = "Rate past months under a plan file and compare with the prices in force. Nothing is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a plan as TOML or JSON")
        parser.add_argument("--months", type=int, default=3, help="how many closed months (default: 3)")
        parser.add_argument(
            "--customer", action="append", metavar="CODE", help="one or several; default: who is subscribed to the plan"
        )

    def handle(self, *args: Any, file: str, months: int, customer: list[str] | None, **options: Any) -> None:
        if not 1 <= months <= MOST_MONTHS:
            raise CommandError(f"--months must be from 1 to {MOST_MONTHS}.")
        draft = _draft(file)
        customers = _customers(draft, customer)
        console = Console(file=self.stdout, width=110)  # type: ignore[arg-type]  # OutputWrapper writes text like a file.
        tried, tally = self._try(draft, customers, months), Tally()
        for one in customers:
            tally.add([row for row in tried if row.customer == one])
        console.print(_table(tried))
        console.print(f"{draft.plan_name}, {len(customers)} customer(s), {months} month(s): {tally}. Nothing was stored.")

    def _try(self, draft: VersionTerms, customers: list[Customer], months: int) -> list[Tried]:
        rows: list[Tried] = []
        at = now()
        with Progress(console=Console(file=self.stderr), transient=True) as progress:  # type: ignore[arg-type]
            task = progress.add_task("Rating", total=len(customers) * months)
            for one in customers:
                for period in past_months(one, months, at):
                    rows.append(try_month(draft, one, period))
                    progress.advance(task)
        return rows


def _draft(file: str) -> VersionTerms:
    path = Path(file)
    try:
        plan = plan_file.read(path.read_text(encoding="utf-8"), as_json=path.suffix == ".json")
    except OSError as error:
        raise CommandError(f"Cannot read {file}: {error.strerror}.") from error
    except (UnicodeDecodeError, PlanFileError) as error:
        raise CommandError(f"{file}: {error}") from error
    return VersionTerms(plan.code, plan.name, 0, plan.currency, LONG_AGO, plan.prices, plan.commitment)


def _customers(draft: VersionTerms, codes: list[str] | None) -> list[Customer]:
    if codes is None:
        found = list(Customer.objects.filter(subscriptions__plan__code=draft.plan_code).distinct().order_by("code"))
        if not found:
            raise CommandError(f"Nobody is subscribed to {draft.plan_code!r}: say --customer CODE.")
        return found
    found = list(Customer.objects.filter(code__in=codes).order_by("code"))
    missing = sorted(set(codes) - {one.code for one in found})
    if missing:
        raise CommandError(f"There is no customer with the code {missing[0]!r}.")
    return found


def _table(rows: list[Tried]) -> Table:
    right = [Column(name, justify="right") for name in ("In force", "Under the draft", "Difference", "%")]
    table = Table("Customer", "Month", "Currency", *right)
    for row in rows:
        if row.problem:
            table.add_row(row.customer.code, row.month, row.customer.currency, "", row.problem, "", "")
        else:
            table.add_row(row.customer.code, row.month, row.customer.currency, row.before, row.after, row.difference, row.percent)
    return table
