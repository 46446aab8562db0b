"""`manage.py verify_audit`: is the audit trail whole? Keep what it prints elsewhere, and a later run can be held against it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit
from accounts.models import AuditEntry, AuditHead


class Command(BaseCommand):
    help = "Check every entry of the audit trail against the next. Exit 1 where one was changed, added or taken away."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--expect", metavar="NUMBER:DIGEST", help="what an earlier run printed; it must still be there")

    def handle(self, *args: Any, **options: Any) -> None:
        faults = [*audit.faults(), *_forgotten(options["expect"])]
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError(f"The audit trail is not whole: {len(faults)} faults.")
        self.stdout.write(str(AuditHead.objects.filter(pk=1).first() or AuditHead()))


def _forgotten(expected: str | None) -> list[str]:
    """A whole new chain would be whole too; an old digest that is kept elsewhere shows that."""
    number, _, digest = (expected or "").partition(":")
    if not number or AuditEntry.objects.filter(id=number if number.isdigit() else 0, digest=digest).exists():
        return []
    return [f"Entry {number} is not the one that was expected."]
