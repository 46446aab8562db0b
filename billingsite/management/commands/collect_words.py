"""`manage.py collect_words`: brings locale/ up to date with the texts of code and templates, and compiles it."""

from typing import Any

from django.core.management.base import BaseCommand

from billingsite import catalogues


class Command(BaseCommand):
    help = "Write each language's texts to locale/, keeping what is translated, and compile them."

    def handle(self, *args: Any, **options: Any) -> None:
        for language in catalogues.languages():
            catalogues.write(language)
            missing = [message.id for message in catalogues.read(language) if message.id and not all(_strings(message.string))]
            self.stdout.write(f"{language}: {len(missing)} texts are not translated yet.")


def _strings(string: Any) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)
