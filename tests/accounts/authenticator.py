"""An authenticator made of software: what a telephone or a security key sends, and, changed in one place, what a liar would."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


def encoded(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


@dataclass
class Authenticator:
    """One passkey. `replace` makes a copy that says something else about itself and signs with the same key."""

    origin: str = "http://localhost:8000"
    flags: int = PRESENT | VERIFIED
    uses: int = 0
    algorithm: int = -7
    rp: str | None = None
    challenge: str | None = None
    kind: str | None = None
    framed: bool = False
    handle: bytes = b""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, asked: dict[str, Any], **lies: Any) -> str:
        """Answer navigator.credentials.create()."""
        self.handle = base64.urlsafe_b64decode(asked["user"]["id"] + "==")
        me = replace(self, **lies)
        point = me.key.public_key().public_numbers()
        cose = {1: 2, 3: me.algorithm, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        length = len(me.credential_id).to_bytes(2, "big")
        about = me._data(asked["rp"]["id"], HAS_KEY) + bytes(16) + length + me.credential_id + cbor.encode(cose)
        told = {"fmt": "none", "attStmt": {}, "authData": about}
        client = me._client("webauthn.create", asked)
        return me._answer(clientDataJSON=client, attestationObject=cbor.encode(told))

    def show(self, asked: dict[str, Any], **lies: Any) -> str:
        """Answer navigator.credentials.get()."""
        me = replace(self, **lies)
        client, about = me._client("webauthn.get", asked), me._data(asked["rpId"], 0)
        signature = me.key.sign(about + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return me._answer(clientDataJSON=client, authenticatorData=about, signature=signature, userHandle=me.handle)

    def _client(self, kind: str, asked: dict[str, Any]) -> bytes:
        told = {"type": self.kind or kind, "challenge": self.challenge or asked["challenge"], "origin": self.origin}
        return json.dumps({**told, "crossOrigin": self.framed}).encode()

    def _data(self, rp: str, more: int) -> bytes:
        return hashlib.sha256((self.rp or rp).encode()).digest() + bytes([self.flags | more]) + self.uses.to_bytes(4, "big")

    def _answer(self, **parts: bytes) -> str:
        name = encoded(self.credential_id)
        response = {part: encoded(value) for part, value in parts.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}})
