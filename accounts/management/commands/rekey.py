"""`manage.py rekey`: after a new key was put first in DATA_KEYS, seal everything with it; then the old keys may go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.rekeying import rekey


class Command(BaseCommand):
    help = "Seal every secret in the database anew with the first key of DATA_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        done = rekey()
        lost = done.pop("lost", 0)
        for what, count in sorted(done.items()):
            self.stdout.write(f"{what}: {count} sealed anew")
        if lost:
            raise CommandError(f"{lost} secrets open with no key of DATA_KEYS. Put their key back and run again.")
