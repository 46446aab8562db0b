"""Before a message's meaning is read: whose signature it carries, and whether that fits its bytes as they were sent. Pure.

The signature is Ed25519 over a tag, the message's type, its topic and its key, each with its length, and its value
(docs/wire-format.md). Nothing is parsed before, and nothing is written anew.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from usage.wire import RawMessage
from usage.wire_errors import Refused

DOMAIN: Final = b"corehour.message.1\n"
SIGNATURE_BYTES: Final = 64
PUBLIC_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key of a machine and until when it counts; None: until it is revoked."""

    machine: bytes
    public: bytes
    until_ms: int | None = None


def key_id(public: bytes) -> str:
    """The name under which a key stands in messages: the first half of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:32]


def signed_bytes(kind: bytes, topic: str, key: bytes, value: bytes) -> bytes:
    """What a message's signature covers."""
    parts = (kind, topic.encode(), key)
    return DOMAIN + b"".join([len(part).to_bytes(4, "big") + part for part in parts]) + value


SIGNING = frozenset({"keyid", "signature"})


def header(raw: RawMessage, name: str) -> bytes | None:
    """The first header of that name."""
    return next((value for found, value in raw.headers if found == name), None)


def claimed_key(raw: RawMessage) -> str | None:
    """The id of the key that the message says it was signed with; None where it has no signature at all."""
    headers = dict(reversed(raw.headers))  # Of a repeated name the first counts.
    if "keyid" not in headers and "signature" not in headers:
        return None
    return headers.get("keyid", b"").decode("ascii", "replace")[:64]


def check(raw: RawMessage, known: Mapping[str, KnownKey], now_ms: int) -> None:
    """Return if the message's signature is right. Raise Refused otherwise; a message without one is not for here."""
    name = claimed_key(raw) or ""
    key = known.get(name)
    if key is None:
        raise Refused("unknown_key", f"no machine has the key {name!r}, or it was revoked")
    if key.until_ms is not None and now_ms >= key.until_ms:
        raise Refused("unknown_key", f"the key {name} was replaced, and its time is over")
    if key.machine != raw.key:
        raise Refused("bad_signature", f"the key {name} is another machine's")
    kind = header(raw, "ce_type")
    if kind is None:
        raise Refused("bad_signature", "a message without a type cannot be signed")
    if not fits(key.public, _signature(raw), signed_bytes(kind, raw.topic, key.machine, raw.value or b"")):
        raise Refused("bad_signature", f"the signature with key {name} does not fit the message")


def verifies(public: bytes, signature: str, content: bytes) -> bool:
    """Whether a base64 signature over `content` is right: for requests, which are signed as messages are."""
    try:
        return fits(public, base64.b64decode(signature, validate=True), content)
    except (ValueError, binascii.Error):
        return False


def fits(public: bytes, signature: bytes, content: bytes) -> bool:
    """Whether a signature is right. By libsodium, which takes half the time of OpenSSL and refuses keys of small order."""
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + content, public)
    except BadSignatureError:
        return False
    return True


def _signature(raw: RawMessage) -> bytes:
    """The signature's bytes. Base64 can write the same bytes in several ways: only the usual one counts."""
    text = header(raw, "signature") or b""
    try:
        signature = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        signature = b""
    if len(signature) != SIGNATURE_BYTES or base64.b64encode(signature) != text:
        raise Refused("bad_signature", "the signature is not base64 of 64 bytes")
    return signature
