"""`manage.py invite_operator EMAIL`: the first operator, by a link that is good once and for an hour."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts.first_operator import NotFirst, invite


class Command(BaseCommand):
    help = "Invite the first operator: print a link that is good once and for an hour."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            validate_email(options["email"])
            self.stdout.write(f"{settings.SITE_URL}{invite(options['email'])}")
        except NotFirst as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError("This is no e-mail address.") from error
