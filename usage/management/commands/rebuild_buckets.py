"""Mends quarter hours that are not the sum of their samples."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage import days
from usage.models import Machine
from usage.periods import to_ms
from usage.rebuild import examine, mendable, rebuild
from usage.sums import ALWAYS

SHOWN = 20


class Command(BaseCommand):
    """`manage.py rebuild_buckets`."""

    help = (
        "Show which quarter hours are not the sum of their samples, and which summed days not that of their quarter hours; "
        "with --apply mend them. A worker may run meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--machine", metavar="CODE", help="only this machine")
        parser.add_argument("--from", dest="start", type=utc_day, metavar="2026-11-01", help="only from this UTC day on")
        parser.add_argument("--to", dest="end", type=utc_day, metavar="2026-12-01", help="only before this UTC day")
        parser.add_argument("--apply", action="store_true", help="mend what differs")

    def handle(self, *args: Any, **options: Any) -> None:
        machines = Machine.objects.order_by("code")
        if options["machine"]:
            machines = machines.filter(code=options["machine"])
            if not machines.exists():
                raise CommandError(f"There is no machine {options['machine']!r}.")
        start, end = options["start"] or 0, options["end"] or ALWAYS
        if options["apply"]:
            found = [one for machine in machines for one in rebuild(machine, "default", start, end)]
            summed = sum(days.mend(machine.pk) for machine in machines)
        else:
            found = list(examine(list(machines), "default", start, end))
            summed = sum(len(days.differences(machine.pk, "default")) for machine in machines)
        for difference in found[:SHOWN]:
            self.stdout.write(f"{'' if mendable(difference) else 'cannot be mended, samples were pruned: '}{difference}")
        if len(found) > SHOWN:
            self.stdout.write(f"and {len(found) - SHOWN} more")
        mended, rest = sum(map(mendable, found)), sum(not mendable(one) for one in found)
        verb = "mended" if options["apply"] else "differ; --apply mends them"
        self.stdout.write(f"{mended} quarter hours {verb}")
        if summed:
            self.stdout.write(f"{summed} summed days {verb}")
        if rest:
            raise CommandError(f"{rest} days differ whose samples were pruned", returncode=1)


def utc_day(text: str) -> int:
    """Return a UTC day as epoch milliseconds."""
    try:
        return to_ms(datetime.combine(date.fromisoformat(text), time.min, tzinfo=UTC))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day such as 2026-11-01") from error
