"""Django's handle on this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import checks, sessions  # noqa: F401 - registers itself

        sessions.listen()
