"""What `manage.py check --deploy` says of our own settings."""

from typing import Any

from django.conf import settings
from django.core.checks import Tags, Warning, register


@register(Tags.security, deploy=True)
def staff_show_a_second_factor(app_configs: Any, **options: Any) -> list[Warning]:
    """A demo may do without."""
    if settings.STAFF_SECOND_FACTOR:
        return []
    return [
        Warning("Staff sign in with a password alone.", hint="Unset STAFF_SECOND_FACTOR; it is for demos.", id="accounts.W001")
    ]
