"""What the staff's roles may do in the administration. Superusers alone hand out powers."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from accounts.models import User

POWERS = {"auth", "admin", "contenttypes", "sessions", "account", "mfa"}  # Apps whose rows decide who may do what.


class RoleBackend(ModelBackend):
    """Django's own sign-in, and the permissions of `User.staff_role` beside those that were given one by one."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        given = super().get_all_permissions(user_obj, obj)
        if not isinstance(user_obj, User) or not user_obj.is_active or not user_obj.is_staff or not user_obj.staff_role or obj:
            return given
        cached: set[str] | None = getattr(user_obj, "_role_permissions", None)
        if cached is None:
            cached = user_obj._role_permissions = permissions_of(user_obj.staff_role)  # type: ignore[attr-defined]
        return given | cached


def permissions_of(role: str) -> set[str]:
    """`app.verb_model` for everything that the role may do."""
    every = Permission.objects.values_list("content_type__app_label", "codename")
    return {f"{app}.{name}" for app, name in every if app not in POWERS and _may(role, app, name)}


def _may(role: str, app: str, name: str) -> bool:
    if name.startswith("view_"):
        return True
    if role == User.StaffRole.BILLING:
        return app == "invoices" or name in ("change_customer", "change_mail")
    return role == User.StaffRole.OPERATOR
