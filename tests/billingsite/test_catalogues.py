"""Translations: complete where they must be, with the placeholders of the English, compiled as they are written."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import read_mo
from django.conf import settings

from accounts import script_words
from billingsite import catalogues

LANGUAGES = ("de", "es", "fr", "ja")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}|<[^>]+>")


def strings(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (str(value or ""),)


def messages(language: str) -> list[Message]:
    return [message for message in catalogues.read(language) if message.id]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_all_that_is_said(language: str) -> None:
    found = messages(language)

    listed = {message.id if isinstance(message.id, str) else tuple(message.id) for message in found}
    assert set(catalogues.wanted(language)) - listed == set(), "run manage.py collect_words"
    assert [message.id for message in found if message.fuzzy or not all(strings(message.string))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_has_the_placeholders_and_marks_of_the_english(language: str) -> None:
    def marks(texts: object) -> list[set[str]]:
        return [set(PLACEHOLDER.findall(text)) for text in strings(texts)]

    wrong = [
        (message.id, message.string)
        for message in messages(language)
        if any(ours not in marks(message.id) for ours in marks(message.string))
    ]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    folder = Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES"

    compiled = read_mo(io.BytesIO((folder / "django.mo").read_bytes()))

    def texts(found: Iterable[Message]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        return sorted((strings(message.id), strings(message.string)) for message in found if message.id)

    assert texts(compiled) == texts(messages(language))


def test_scripts_say_exactly_what_is_listed_for_them() -> None:
    said = {
        text.replace('\\"', '"')
        for file in (settings.BASE_DIR / "static").glob("*.js")
        for text in re.findall(r'(?<![#.\w])say\(\s*"((?:[^"\\]|\\.)*)"', file.read_text())
    }

    assert said == set(script_words.WORDS)
