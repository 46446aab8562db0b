"""The catalogues of translations: which texts the product says, and their .po and .mo files below locale/.

Babel alone: no gettext programs are needed.
"""

import ast
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

from accounts.models import Membership, Notice
from accounts.settings_forms import LIVES
from invoices import tax
from usage.key_models import AgentWish
from usage.meters import METERS
from usage.ranges import GROUPS, PICTURES, RANGES, STEPS
from usage.wishes import WORDS

FULL = ("de",)
# What is sent out: documents and mail. These are translated into every language.
SENT = (
    "accounts/notice_words.py", "accounts/security_words.py", "invoices/credit_note_documents.py", "invoices/document_text.py",
    "invoices/line_names.py", "invoices/mailing.py", "invoices/paper_words.py", "invoices/tax.py", "templates/mail/",
    "usage/meters.py",
)  # fmt: skip
ROOMS = ("accounts", "usage", "invoices", "billingsite")
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None, "gettext": None, "gettext_lazy": None, "gettext_noop": None, "ngettext": (1, 2),
}  # fmt: skip
_STRING = r"""u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_TAG = re.compile(rf"(?<!\w)(?:(n?)gettext|_)\({_STRING}(?:,\s*{_STRING})?", re.DOTALL)
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # So that the same texts give the same bytes.
Text = str | tuple[str, str]


def texts() -> dict[Text, set[str]]:
    """Return every text that is translated, singular and plural where it counts, with the files that say it."""
    found: dict[Text, set[str]] = {}
    for file, text in (*_of_python(), *_of_templates(), *_of_tables()):
        found.setdefault(text, set()).add(file)
    return found


def wanted(language: str) -> dict[Text, set[str]]:
    """Return what a language must say: everything, or what is sent out."""
    return {text: files for text, files in texts().items() if language in FULL or any(map(_is_sent, files))}


def languages() -> list[str]:
    """Return the languages that have a catalogue; English is in the code."""
    return [code for code, _ in settings.LANGUAGES if not code.startswith("en")]


def read(language: str) -> Catalog:
    """Return a language's catalogue; an empty one where there is none yet."""
    path = _folder(language) / "django.po"
    return read_po(io.BytesIO(path.read_bytes() if path.exists() else b""), locale=language)


def refreshed(language: str) -> Catalog:
    """Return the catalogue with exactly what is wanted, each with its translation as far as there is one."""
    known, fresh = read(language), Catalog(locale=language, creation_date=NO_DATE, revision_date=NO_DATE, fuzzy=False)
    for text, files in sorted(wanted(language).items(), key=lambda item: str(item[0])):
        message = known.get(text)
        fresh.add(text, message.string if message else None, locations=[(file, 0) for file in sorted(files)])
    return fresh


def write(language: str) -> None:
    """Write .po and .mo."""
    catalogue, folder = refreshed(language), _folder(language)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "django.po").open("wb") as file:
        write_po(file, catalogue, omit_header=True, width=130)
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, catalogue)


def _folder(language: str) -> Path:
    return Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES"


def _is_sent(file: str) -> bool:
    return file.startswith(SENT)


def _of_python() -> Iterator[tuple[str, Text]]:
    for room in ROOMS:
        for path in sorted((settings.BASE_DIR / room).rglob("*.py")):
            for _line, text, *_ in extract_from_file("python", path, KEYWORDS):
                yield _named(path), text if isinstance(text, str) else (text[0], text[1])


def _of_templates() -> Iterator[tuple[str, Text]]:
    for path in sorted((settings.BASE_DIR / "templates").rglob("*.*")):
        for several, one, many in _TAG.findall(templatize(path.read_text())):
            yield _named(path), (ast.literal_eval(one), ast.literal_eval(many)) if several else ast.literal_eval(one)


def _of_tables() -> Iterator[tuple[str, Text]]:
    """Texts that are data in the code, and translated where they are shown."""
    meters = METERS.values()
    tables: dict[str, Iterable[object]] = {
        "usage/ranges.py": [*RANGES.values(), *STEPS.values(), *GROUPS.values(), *PICTURES.values()],
        "usage/meters.py": [*(meter.name for meter in meters), *(meter.unit for meter in meters)],
        "usage/wishes.py": [*WORDS, *AgentWish.Kind.labels],
        "accounts/models.py": [*Membership.Role.labels, *Notice.Kind.labels],
        "accounts/settings_forms.py": LIVES.values(),
        "invoices/tax.py": [tax.REVERSE_CHARGE, tax.OUTSIDE],
    }
    yield from ((file, str(text)) for file, table in tables.items() for text in table)


def _named(path: Path) -> str:
    return str(path.relative_to(settings.BASE_DIR))
