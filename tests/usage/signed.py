"""Messages signed as an agent signs them, by the text of the wire format alone: no code of the agent or of the server."""

import base64
import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.usage.build import V1_HEADERS, body, raw
from usage.key_models import MachineKey
from usage.models import Machine
from usage.wire import RawMessage

KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"2" * 32)


def name_of(key: Ed25519PrivateKey) -> str:
    return hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:32]


def register(machine: Machine, key: Ed25519PrivateKey = KEY, **fields: Any) -> MachineKey:
    public = key.public_key().public_bytes_raw()
    return MachineKey.objects.create(machine=machine, keyid=name_of(key), public_key=public, **fields)


def signature(key: Ed25519PrivateKey, topic: str, machine: bytes, value: bytes, kind: bytes = b"corehour.usage.v1") -> bytes:
    content = b"corehour.message.1\n"
    for part in (kind, topic.encode(), machine):
        content += len(part).to_bytes(4, "big") + part
    return base64.b64encode(key.sign(content + value))


def signed(content: Any = None, *, by: Ed25519PrivateKey = KEY, machine: bytes = b"web-1", **changes: Any) -> RawMessage:
    """A message of web-1 with the signature of `by`; `changes` come after signing."""
    unsigned = raw(body() if content is None else content, key=machine)
    value = unsigned.value or b""
    proof = signature(by, unsigned.topic, machine, value)
    headers = (*V1_HEADERS, ("keyid", name_of(by).encode()), ("signature", proof))
    return raw(value, **({"key": machine, "headers": headers} | changes))
