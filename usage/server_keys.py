"""The server's own keys: one that signs what it asks of agents, and those to which agents may seal their usage.

They are files that only the server's user can read, in the data folder: a copy of the database opens nothing.
"""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from django.conf import settings


def wish_key() -> Ed25519PrivateKey:
    """The key that signs what people ask of agents; made on the first call."""
    path = Path(settings.DATA_DIR) / "agent-wishes.pem"
    if not path.exists():
        _write(path, _pem(Ed25519PrivateKey.generate()))
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key.")
    return key


@dataclass(frozen=True, slots=True)
class SealingKey:
    """An X25519 key under its id. The newest is the one that agents are told."""

    id: str
    private: X25519PrivateKey
    made_ns: int

    def told(self) -> dict[str, str]:
        """What an agent needs of it."""
        return {"id": self.id, "public": base64.b64encode(self.private.public_key().public_bytes_raw()).decode()}


def sealing_folder() -> Path:
    return Path(settings.DATA_DIR) / "sealing-keys"


def sealing_keys() -> list[SealingKey]:
    """All that can open something, newest first."""
    keys = [_sealing_key(path) for path in sealing_folder().glob("*.pem")]
    return sorted(keys, key=lambda key: key.made_ns, reverse=True)


def make_sealing_key() -> SealingKey:
    """From now on agents seal to this one; the older ones go on opening what was sealed to them."""
    private = X25519PrivateKey.generate()
    path = sealing_folder() / f"{sealing_id(private.public_key().public_bytes_raw())}.pem"
    _write(path, _pem(private))
    return _sealing_key(path)


def sealing_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]


def _sealing_key(path: Path) -> SealingKey:
    private = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(private, X25519PrivateKey):
        raise ValueError(f"{path} holds no X25519 key.")
    return SealingKey(path.stem, private, path.stat().st_mtime_ns)


def _pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _write(path: Path, content: bytes) -> None:
    """Mode 600 from the first moment, whole or not at all; of two who make it at once one wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
