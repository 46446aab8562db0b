"""Doors of the API that are for the operator's programs alone: whoever may not come in is told that there is none."""

from django.http import Http404
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.access import may_see_fleet
from accounts.keys import actor
from accounts.models import ApiKey

VERBS = {"GET": "view", "POST": "add", "PATCH": "change"}


class StaffMay(BasePermission):
    """Staff whose role may do so with the rows that the view names in `door_to`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        who, verb = actor(request), VERBS.get(request.method or "", "change")
        door_to: str = getattr(view, "door_to")  # noqa: B009 - each view behind this door has one
        if isinstance(who, ApiKey) or not may_see_fleet(who) or not who.has_perm(f"invoices.{verb}_{door_to}"):
            raise Http404
        return True
