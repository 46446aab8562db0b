"""Usage encrypted for the server alone: the broker, and whoever can read it, sees machine, time of sending and size, no more.

HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM. What is sealed is bound to topic and machine, then signed.
"""

import base64
from dataclasses import dataclass, replace
from typing import Any

from agent.wire import Message

INFO = b"corehour.sealed.1\n"
MARK = b"CHS1"
ID_BYTES = 8
SEALED = b"application/vnd.corehour.sealed"


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The server's public key and its id."""

    id: str
    public: bytes

    @classmethod
    def of(cls, told: Any) -> "SealingKey | None":
        """As the server tells it: {"id", "public"}; None for nothing or nonsense."""
        try:
            key = cls(told["id"], base64.b64decode(told["public"], validate=True))
            return key if len(bytes.fromhex(key.id)) == ID_BYTES and len(key.public) == 32 else None
        except (TypeError, KeyError, ValueError):
            return None

    def sealed(self, topic: str, message: Message) -> Message:
        """The same message with a value that only the server can open. Version 0 has no type and stays as it is."""
        headers = dict(message.headers)
        if "ce_type" not in headers:
            return message
        info = INFO + b"".join(len(part).to_bytes(4, "big") + part for part in (topic.encode(), message.key))
        value = MARK + bytes.fromhex(self.id) + _suite().encrypt(message.value, self._key(), info)
        kept = tuple((name, SEALED if name == "content-type" else text) for name, text in message.headers)
        return replace(message, value=value, headers=kept)

    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        return X25519PublicKey.from_public_bytes(self.public)


def _suite() -> Any:
    from cryptography.hazmat.primitives import hpke

    return hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
