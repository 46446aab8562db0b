"""What `manage.py check --deploy` says of our own settings."""

from typing import Any

from django.conf import settings
from django.core.checks import Tags, Warning, register
from django.db import connection


@register(Tags.security, deploy=True)
def staff_show_a_second_factor(app_configs: Any, **options: Any) -> list[Warning]:
    """A demo may do without."""
    if settings.STAFF_SECOND_FACTOR:
        return []
    return [
        Warning("Staff sign in with a password alone.", hint="Unset STAFF_SECOND_FACTOR; it is for demos.", id="accounts.W001")
    ]


@register(Tags.security, deploy=True)
def the_database_knows_who_asks(app_configs: Any, **options: Any) -> list[Warning]:
    """One role for everything works, with one wall."""
    if settings.DATABASE_WALL or connection.vendor != "postgresql":
        return []
    hint = "Run manage.py database_roles --apply, and let the web process connect as corehour_web: docs/operating.md."
    return [
        Warning(
            "PostgreSQL is not told who asks, so no row-level security stands behind the access rule.",
            hint=hint,
            id="accounts.W002",
        )
    ]
