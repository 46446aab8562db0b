"""`manage.py erase_person EMAIL --yes`: take away all that tells who a person was; what books must keep stays."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.people import PeopleError
from accounts.privacy import erase


class Command(BaseCommand):
    help = "Erase a person. It cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--yes", action="store_true", help="indeed; without it nothing is done")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].lower()).first()
        if user is None:
            raise CommandError("There is no such person.")
        if not options["yes"]:
            raise CommandError(f"Nothing is done yet. To erase {user} for ever: --yes")
        try:
            self.stdout.write(f"Erased; the account is {erase(user)} now.")
        except PeopleError as error:
            raise CommandError(str(error)) from error
