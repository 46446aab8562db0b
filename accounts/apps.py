"""Django's handle on this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from accounts import checks, sessions, wall  # noqa: F401 - registers itself

        sessions.listen()
        connection_created.connect(wall.stand_before, dispatch_uid="wall")
