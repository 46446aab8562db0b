"""Makes an API key by hand; the secret is the only thing on standard output, so that it can be piped."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.timezone import now

from accounts.models import Customer
from accounts.people import issue_key
from accounts.scopes import READING, SCOPES


class Command(BaseCommand):
    help = "Make an API key of a customer, read-only unless told otherwise, and print its secret, which is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", help="the customer's code")
        parser.add_argument("name", help="what the key is for")
        parser.add_argument("--scope", action="append", choices=SCOPES, help="what it opens; several times for several")
        parser.add_argument("--days", type=int, help="expires after so many days; never by default")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = Customer.objects.filter(code=options["customer"]).first()
        if customer is None:
            raise CommandError(f"There is no customer {options['customer']!r}. The admin lists them.")
        expires_at = now() + timedelta(days=options["days"]) if options["days"] else None
        key, secret = issue_key(customer, options["name"], options["scope"] or READING, expires_at)
        self.stderr.write(f"Key {key.prefix}… of {customer} made. Keep the secret, it cannot be shown again:")
        self.stdout.write(secret)
