"""Makes an API key by hand; the secret is the only thing on standard output, so that it can be piped."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import ApiKey, Customer


class Command(BaseCommand):
    help = "Make a read-only API key of a customer and print its secret, which is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", help="the customer's code")
        parser.add_argument("name", help="what the key is for")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = Customer.objects.filter(code=options["customer"]).first()
        if customer is None:
            raise CommandError(f"There is no customer {options['customer']!r}. The admin lists them.")
        key, secret = ApiKey.issue(customer, options["name"])
        self.stderr.write(f"Key {key.prefix}… of {customer} made. Keep the secret, it cannot be shown again:")
        self.stdout.write(secret)
