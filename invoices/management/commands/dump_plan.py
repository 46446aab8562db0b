"""Writes a plan as a file that load_plan reads back: the newest version, or one by its number."""

import json
from typing import Any

import tomli_w
from django.core.management.base import BaseCommand, CommandError, CommandParser

from invoices import plan_file
from invoices.catalogue import terms_of
from invoices.models import PlanVersion


class Command(BaseCommand):
    help = "Print a plan as TOML (or JSON), as load_plan reads it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", help="of the plan")
        parser.add_argument("--number", type=int, help="of the version; the newest where it is not given")
        parser.add_argument("--json", action="store_true", help="JSON instead of TOML")

    def handle(self, *args: Any, code: str, number: int | None, json: bool, **options: Any) -> None:
        versions = PlanVersion.objects.filter(plan__code=code).select_related("plan").order_by("-number")
        version = (versions if number is None else versions.filter(number=number)).first()
        if version is None:
            raise CommandError(f"There is no plan {code!r}{'' if number is None else f' with a version {number}'}.")
        self.stdout.write(_text(plan_file.dump(plan_file.document_of(terms_of(version), version.effective_from)), as_json=json))


def _text(document: dict[str, Any], *, as_json: bool) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) if as_json else tomli_w.dumps(document).rstrip()
