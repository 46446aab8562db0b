"""Standard Webhooks (standardwebhooks.com): secrets and signatures as any of its libraries checks them. Pure."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret of 256 random bits, as it is shown to whoever will check with it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of id, time and body with the secret's bytes."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join([message_id.encode(), str(timestamp_s).encode(), body])
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def header_fields(secrets_now: Iterable[str], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three fields of a message. While two secrets live it carries a signature of each."""
    signatures = [signature(secret, message_id, timestamp_s, body) for secret in secrets_now]
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s), "webhook-signature": " ".join(signatures)}
