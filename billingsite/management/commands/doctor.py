"""`manage.py doctor`: what is wrong with this installation, and how to mend it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billingsite.examination import examine


class Command(BaseCommand):
    help = "Check broker, topic, database, migrations, clock, Redis and disk. Exit 1 if one needs mending."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        ailing = 0
        for finding in examine():
            mark = self.style.SUCCESS("OK   ") if finding.healthy else self.style.ERROR("WRONG")
            self.stdout.write(f"{mark} {finding.name:<11} {finding.text}")
            if not finding.healthy:
                ailing += 1
                self.stdout.write(f"      {'':<11} {finding.remedy}")
        if ailing:
            raise CommandError(f"{ailing} of these need{'s' if ailing == 1 else ''} mending.")
