"""Proves that nothing was lost and nothing counted twice, from the rows themselves."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.audit import checks

SHOWN = 20


class Command(BaseCommand):
    """`manage.py audit_usage`."""

    help = "Check that messages, samples, runs and quarter hours add up. Exit 1 on any difference, each named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the checks as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        done = list(checks())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(check) for check in done], indent=2))
        else:
            for check in done:
                self.stdout.write(f"{'differs' if check.differences else 'ok':8}{check.name}: {check.looked_at}")
                for difference in check.differences[:SHOWN]:
                    self.stdout.write(f"        {difference}")
                if len(check.differences) > SHOWN:
                    self.stdout.write(f"        and {len(check.differences) - SHOWN} more")
        count = sum(len(check.differences) for check in done)
        if count:
            raise CommandError(f"{count} differences", returncode=1)
