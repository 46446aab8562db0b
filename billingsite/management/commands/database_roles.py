"""`manage.py database_roles`: PostgreSQL roles for web, worker and biller with the least rights, and the second wall."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from billingsite import database_roles


class Command(BaseCommand):
    help = (
        "Print the SQL that makes the database's roles and puts up the second wall; --apply runs it, as the owner of the tables."
        f" Passwords come from {', '.join(database_roles.PASSWORDS.values())}. Run it again after each migration."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="run it instead of printing it")
        parser.add_argument("--remove", action="store_true", help="take the wall down and the roles' rights away")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["remove"]:
                database_roles.remove()
                self.stdout.write("The wall is down.")
                return
            if not options["apply"]:
                self.stdout.write(database_roles.text())
                return
            given = database_roles.apply(os.environ)
        except (database_roles.RolesError, DatabaseError) as error:
            raise CommandError(str(error).strip().splitlines()[0]) from error
        self.stdout.write(f"The wall stands. Passwords set: {', '.join(given) or 'none'}.")
