"""Takes the prices of a spot market: one, or a file of `instant,price` rows as a feed would give them."""

import csv
from argparse import FileType
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from invoices import plan_fields, spot
from invoices.money import NANO
from invoices.plan_fields import PlanFileError


class Command(BaseCommand):
    help = "Record what a spot market asks from an instant on, until the next. The same price again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("market", help="as plans name it")
        parser.add_argument("instant", nargs="?", help="with its zone, such as 2026-12-01T06:40:00Z")
        parser.add_argument("price", nargs="?", help="for one unit, such as 0.0171")
        parser.add_argument("--file", type=FileType("r"), help="instead: rows of instant,price; - is standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = list(csv.reader(options["file"])) if options["file"] else [[options["instant"], options["price"]]]
        with transaction.atomic():  # All or none: a feed that stumbles can be given again.
            for number, row in enumerate(rows, start=1):
                self.stdout.write(str(self._record(options["market"], row, number)))

    def _record(self, market: str, row: list[str], number: int) -> spot.SpotPrice:
        if len(row) != 2 or None in row:
            raise CommandError(f"Row {number} must be an instant and a price.")
        try:
            at, price = plan_fields.moment(row[0], "instant"), plan_fields.decimal(row[1], "price", 9)
            return spot.record(market, at, int(price * NANO))
        except (PlanFileError, spot.SpotError, ValidationError) as error:
            raise CommandError(f"Row {number}: {error}") from error
