"""Forgets raw samples past their retention."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from usage.retention import prune
from usage.wire import DAY_MS


class Command(BaseCommand):
    """`manage.py prune_samples`."""

    help = "Delete whole UTC days of raw samples past USAGE_RETENTION_DAYS, only where the quarter hours are proven."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=settings.USAGE_RETENTION_DAYS, help="keep so many days")
        parser.add_argument("--dry-run", action="store_true", help="only prove, delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        least = settings.USAGE_MAX_AGE_DAYS + 1
        if options["days"] < least:
            raise CommandError(f"Keep at least {least} days: usage that is younger still comes in.")
        kept = samples = 0
        for day in prune(int(time.time() * 1000) - options["days"] * DAY_MS, dry_run=options["dry_run"]):
            self.stdout.write(str(day))
            kept, samples = kept + bool(day.kept), samples + day.samples * (not day.kept)
        self.stdout.write(f"{samples} samples {'would be ' * options['dry_run']}pruned")
        if kept:
            raise CommandError(f"{kept} days kept: see manage.py audit_usage and manage.py rebuild_buckets", returncode=1)
