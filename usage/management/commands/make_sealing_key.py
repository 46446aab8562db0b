"""`manage.py make_sealing_key`."""

from typing import Any

from django.core.management.base import BaseCommand

from usage.server_keys import make_sealing_key, sealing_folder


class Command(BaseCommand):
    """A new key to which agents seal their usage."""

    help = "Make a key to which agents may seal their usage from now on. Older ones go on opening what was sealed to them."

    def handle(self, *args: Any, **options: Any) -> None:
        key = make_sealing_key()
        self.stdout.write(f"Agents seal to {key.id} from now on. It is in {sealing_folder()}: every worker needs it.")
