"""Loads a plan file as a draft, and publishes it where asked. Loading the same file again changes nothing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from invoices import plan_file, publishing
from invoices.models import PlanVersion
from invoices.plan_fields import PlanFileError

SHIPPED = Path(plan_file.__file__).parent / "plans"


class Command(BaseCommand):
    help = "Load a plan from a TOML or JSON file, or one that is shipped, by its code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help=f"a file, or one of: {', '.join(sorted(path.stem for path in SHIPPED.glob('*.toml')))}")
        parser.add_argument("--publish", action="store_true", help="put it in force from the file's effective_from")

    def handle(self, *args: Any, file: str, publish: bool, **options: Any) -> None:
        path = _path(file)
        try:
            document = plan_file.read(path.read_text(encoding="utf-8"), as_json=path.suffix == ".json")
            version, changed = publishing.save_draft(document)
            if publish and version.state == PlanVersion.State.DRAFT:
                version = publishing.publish(version, document.effective_from)
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{file} is not UTF-8 text.") from error
        except PlanFileError as error:
            raise CommandError(f"{file}: {error}") from error
        except publishing.PlanError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{version}: {'loaded' if changed else 'unchanged'}, {version.get_state_display().lower()}.")


def _path(file: str) -> Path:
    """The file, or a shipped plan where no such file exists."""
    shipped = SHIPPED / f"{file}.toml"
    return shipped if shipped.parent == SHIPPED and shipped.exists() and not Path(file).exists() else Path(file)
