"""How a machine signs in to the API: it signs each request with the key that it signs its messages with. No secret travels."""

import time
from typing import Any

from django.utils.timezone import now
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import wall
from usage.key_models import MachineKey
from usage.models import Machine
from usage.signing import verifies

DOMAIN = b"corehour.request.1\n"
MOST_SKEW_MS = 5 * 60 * 1000


class MachineUser:
    """A machine that asks, as far as DRF wants to know it."""

    is_authenticated = True
    is_staff = False

    def __init__(self, key: MachineKey, at_ms: int) -> None:
        self.key = key
        self.machine: Machine = key.machine
        self.at_ms = at_ms
        self.pk = f"machine-{key.machine_id}"


class MachineAuthentication(BaseAuthentication):
    """`Authorization: Corehour keyid:epoch-ms:signature`, over method, path, time and body. Stale ones are refused."""

    def authenticate(self, request: Request) -> tuple[MachineUser, MachineKey] | None:
        words = get_authorization_header(request).decode("ascii", "replace").split()
        if len(words) != 2 or words[0].lower() != "corehour":
            return None
        keyid, at, signature = (words[1].split(":") + ["", ""])[:3]
        if not at.isdigit() or len(at) > 15 or abs(time.time_ns() // 1_000_000 - int(at)) > MOST_SKEW_MS:
            raise AuthenticationFailed("The request is not from now: this machine's clock and the server's differ.")
        wall.shown("machine", keyid)
        key = MachineKey.objects.live(now()).select_related("machine__customer").filter(keyid=keyid).first()
        content = signed_request(request.method or "", request.path, at, request.body)
        if key is None or not verifies(bytes(key.public_key), signature, content):
            raise AuthenticationFailed("The key is unknown or revoked, or the signature does not fit.")
        if key.machine.retired_at is not None:
            raise AuthenticationFailed("This machine was retired.")
        return MachineUser(key, int(at)), key

    def authenticate_header(self, request: Request) -> str:
        return "Corehour"


class IsMachine(BasePermission):
    """Only a machine, speaking for itself."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, MachineUser)


def signed_request(method: str, path: str, at: str, body: bytes) -> bytes:
    """What a request's signature covers."""
    parts = (method.encode(), path.encode(), at.encode())
    return DOMAIN + b"".join(len(part).to_bytes(4, "big") + part for part in parts) + body
