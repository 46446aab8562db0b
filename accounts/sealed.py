"""Secrets that the server must read again, such as webhooks' and authenticator apps': sealed at rest with the keys of DATA_KEYS.

The first key seals, all of them open; `manage.py rekey` seals everything anew with the first, after which the others may go.
"""

import base64
import hashlib
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SHORTEST = 32


class NotOurs(ValueError):
    """None of the keys opens this."""


def seal(plain: bytes) -> bytes:
    return _ring().encrypt(plain)


def opened(sealed: bytes | memoryview) -> bytes:
    """What was sealed. Raise NotOurs."""
    try:
        return _ring().decrypt(bytes(sealed))
    except InvalidToken:
        raise NotOurs("No key of DATA_KEYS opens this.") from None


def resealed(sealed: bytes | memoryview) -> bytes:
    """The same, sealed with the first key. Raise NotOurs."""
    return seal(opened(sealed))


def _ring() -> MultiFernet:
    words = [word for word in re.split(r"[\s,]+", settings.DATA_KEYS) if word]
    if not words or min(map(len, words)) < SHORTEST:
        raise ImproperlyConfigured(f"DATA_KEYS holds keys of at least {SHORTEST} characters each, with commas between.")
    # The last one sealed second factors before DATA_KEYS was.
    return MultiFernet([_fernet(f"data key {word}") for word in words] + [_fernet(f"second factor {settings.SECRET_KEY}")])


def _fernet(text: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()))
