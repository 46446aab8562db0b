"""Which languages there are, and which one somebody is written to in. The catalogues are in locale/."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext_lazy

# The portal speaks what is translated in full; documents and mail speak all of settings.LANGUAGES.
PORTAL = ("en-gb", "de")
NAMES = {"en-gb": "English", "de": "Deutsch"}
CHOICES = [("", gettext_lazy("As the browser asks")), *NAMES.items()]


def language_of(locale: str) -> str:
    """Return the language for words in a locale such as `de-AT`; English where there is no catalogue for it."""
    wanted = locale.replace("_", "-").lower()
    known = [code for code, _ in settings.LANGUAGES]
    if wanted in known:
        return wanted
    generic = wanted.split("-")[0]
    return next((code for code in known if code.split("-")[0] == generic), settings.LANGUAGE_CODE)


def portal_language(wanted: str) -> str:
    """Return the language of the portal for what a person or a browser asked."""
    found = language_of(wanted) if wanted else settings.LANGUAGE_CODE
    return found if found in PORTAL else settings.LANGUAGE_CODE


@contextmanager
def spoken(locale: str) -> Iterator[None]:
    """Speak the language of a customer's locale, whatever the page or task speaks: for documents and mail."""
    with translation.override(language_of(locale)):
        yield
