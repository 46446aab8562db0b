"""`manage.py export_person EMAIL`: everything that is kept of a person, as JSON."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from accounts.models import User
from accounts.privacy import export


class Command(BaseCommand):
    help = "Print everything that is kept of a person, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].lower()).first()
        if user is None:
            raise CommandError("There is no such person.")
        self.stdout.write(json.dumps(export(user), indent=2, cls=DjangoJSONEncoder))
