"""The machine's own key: every message is signed with it just before it is sent. The private half never leaves the machine.

What is signed is told in docs/wire-format.md; the server verifies it with other code, and golden files tie the two.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent import private
from agent.seal import SealingKey
from agent.wire import Message

if TYPE_CHECKING:  # It costs 10 MB: not before there is a key to read.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DOMAIN = b"corehour.message.1\n"
KEY_FILE = "key.pem"


class KeyProblem(Exception):
    """The key cannot be read or kept; the text says which file and what to do."""


def signed_bytes(kind: bytes, topic: str, key: bytes, value: bytes) -> bytes:
    """What a message's signature covers: a tag, then its type, topic and key with their lengths before them, then its value."""
    parts = (kind, topic.encode(), key)
    return DOMAIN + b"".join(len(part).to_bytes(4, "big") + part for part in parts) + value


@dataclass(frozen=True, slots=True)
class MachineKey:
    """An Ed25519 key pair."""

    private: "Ed25519PrivateKey"

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        return hashlib.sha256(self.public).hexdigest()[:32]

    def sign(self, content: bytes) -> str:
        """The signature in base64, as it stands in headers and JSON."""
        return base64.b64encode(self.private.sign(content)).decode()

    def signed(self, topic: str, message: Message) -> Message:
        """The same message with the headers `keyid` and `signature`. Version 0 has no type and cannot be signed."""
        kind = dict(message.headers).get("ce_type")
        if kind is None:
            return message
        signature = self.sign(signed_bytes(kind, topic, message.key, message.value))
        return replace(message, headers=(*message.headers, ("keyid", self.id.encode()), ("signature", signature.encode())))


def generate() -> MachineKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return MachineKey(Ed25519PrivateKey.generate())


def load(path: Path) -> MachineKey | None:
    """The key in a PEM file; None if there is no file. Raise KeyProblem for one that others can read, or that is no key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if path.stat().st_mode & 0o077:
            raise KeyProblem(f"{path} can be read by others, so it is a secret no longer: enrol this machine again.")
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise KeyProblem(f"{path} is another user's: run this as that user, or enrol this machine again as root.") from error
    except (OSError, ValueError, TypeError) as error:
        raise KeyProblem(f"cannot read the key in {path}: {error}. Enrol this machine again.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"the key in {path} is not of the kind Ed25519: enrol this machine again.")
    return MachineKey(key)


def keep(key: MachineKey, path: Path) -> None:
    """Write the key so that only its owner can ever read it. Raise OSError, FolderProblem."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private.write(path, key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@dataclass(slots=True)
class Keyring:
    """The keys of the machines that this process speaks for, by machine code. A machine without one sends unsigned.

    `sealing`: the server's keys to seal to, for those machines whose usage is to be sealed.
    """

    keys: Mapping[str, MachineKey]
    sealing: Mapping[str, SealingKey] = field(default_factory=dict)

    def dressed(self, topic: str, message: Message) -> Message:
        """The message as it goes out: sealed, then signed."""
        code = message.key.decode()
        if code in self.sealing:
            message = self.sealing[code].sealed(topic, message)
        key = self.keys.get(code)
        return key.signed(topic, message) if key else message


def of_machines(state_dir: Path, codes: Iterable[str]) -> dict[str, MachineKey]:
    """The keys of those machines that have one in their folder. Raise KeyProblem."""
    found = {code: load(state_dir / code / KEY_FILE) for code in codes}
    return {code: key for code, key in found.items() if key}
