"""Does by hand what beat does each hour: records how busy the fleet was, for prices that follow demand."""

from typing import Any

from django.core.management.base import BaseCommand

from invoices import fleet


class Command(BaseCommand):
    help = "Record the share of the fleet's cores that were in use in the last full hour. Running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        load = fleet.record()
        if load is None:
            self.stdout.write("Nothing was metered in the last full hour: nothing is recorded.")
        else:
            self.stdout.write(f"{load}: {load.share_micro // 10_000} % of the fleet's cores were in use.")
