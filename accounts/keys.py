"""How programs sign in to the API: a bearer key, known by its SHA-256."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.timezone import now
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import wall
from accounts.models import ApiKey, User

NOTED_EVERY = timedelta(minutes=1)


class KeyUser:
    """The bearer of an API key, as far as DRF asks: authenticated, and never a person."""

    is_authenticated = True
    is_staff = False

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.pk = f"key-{key.pk}"


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer ch_…`. Any other scheme is left to the next class."""

    def authenticate(self, request: Request) -> tuple[KeyUser, ApiKey] | None:
        words = get_authorization_header(request).split()
        if len(words) != 2 or words[0].lower() != b"bearer":
            return None
        secret = words[1].decode("ascii", "replace")
        digest = ApiKey.digest_of(secret)
        wall.shown("key", digest)
        key = ApiKey.objects.live().select_related("customer").filter(digest=digest).first()
        if key is None:
            raise AuthenticationFailed("This key is unknown or revoked.")
        _note_use(key)
        return KeyUser(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def _note_use(key: ApiKey) -> None:
    """Keep when a key was last used, to the minute: a write for every read would queue behind the ingest."""
    if key.last_used_at is None or now() - key.last_used_at >= NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now())


def actor(request: Request) -> User | AnonymousUser | ApiKey:
    """Return who asks, in the terms of accounts.access."""
    bearer: Any = request.user
    return bearer.key if isinstance(bearer, KeyUser) else bearer
