"""Who may ask what of the API: the scopes of a key, the roles of a person, by the room that the address is in."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.access import acting_as, has_role
from accounts.audit import record
from accounts.keys import KeyUser
from accounts.models import User
from accounts.scopes import Room, only_reads, room_of, scope_asked


class MayAsk(BasePermission):
    """The default of every API view. Whose rows are seen is accounts.access's to say."""

    message = "You may not do this."

    def has_permission(self, request: Request, view: Any) -> bool:
        user: Any = request.user
        if user and user.is_authenticated and not hasattr(view, (request.method or "").lower()):
            return True  # There is no such operation, which is the better answer: 405.
        if isinstance(user, KeyUser):
            return self._in_scope(request, user)
        if not user or not user.is_authenticated:
            return False
        return self._in_role(request, user)

    def _in_scope(self, request: Request, bearer: KeyUser) -> bool:
        asked = scope_asked(request.method or "", request.path)
        if asked in bearer.key.scope_list:
            return True
        self.message = f"This key lacks the scope {asked}."
        record("denied", f"scope {asked}", customer_pk=bearer.key.customer_id)
        return False

    def _in_role(self, request: Request, user: User) -> bool:
        room = room_of(request.path)
        roles = _roles(request, room)
        acting_as(user, roles)
        if only_reads(request.method or "", room) or has_role(user, None, roles):
            return True
        self.message = f"Only {' and '.join(sorted(roles)) or 'staff'} may do this."
        record("denied", f"{request.method} {request.path}"[:120])
        return False


def _roles(request: Request, room: Room) -> frozenset[str]:
    return room.readers if only_reads(request.method or "", room) else room.writers
