"""Proves one final invoice from the quarter hours, and says equal or which line differs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from invoices.verify import final_invoice, verify


class Command(BaseCommand):
    help = "Compute a final invoice again from what was metered. Exits 1 where anything differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", help="such as CH-2026-0001")

    def handle(self, *args: Any, number: str, **options: Any) -> None:
        invoice = final_invoice(number)
        if invoice is None:
            raise CommandError(f"There is no final invoice {number!r}.")
        different = 0
        for finding in verify(invoice):
            self.stdout.write(f"{'equal' if finding.equal else 'DIFFERS'}  {finding.what}: {finding.text}")
            different += not finding.equal
        if different:
            raise CommandError(f"{number}: {different} of its parts differ.")
        self.stdout.write(f"{number} is equal.")
