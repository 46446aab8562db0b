"""The demo's machines are enrolled as any other, but on the server's own machine: their keys are made where their agents look."""

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from django.conf import settings

from billingsite.surroundings import private_file
from usage.signing import key_id, signed_bytes

if TYPE_CHECKING:  # The self-check starts before the models are there.
    from usage.models import Machine

Headers = list[tuple[str, bytes]]


def state_dir() -> Path:
    """Where the demo's agents keep what they have."""
    return Path(os.environ.get("COREHOUR_AGENT_STATE_DIR", str(settings.DATA_DIR / "agent")))


def ensure_key(machine: "Machine") -> None:
    """Enrol a machine once: its key is kept in its agent's folder, mode 600."""
    from usage.enrolment import ENROL_DOMAIN, create_token, enrol
    from usage.models import MachineKey

    key = kept_key(machine.code)
    if key and MachineKey.objects.filter(machine=machine, keyid=key_id(key.public_key().public_bytes_raw())).exists():
        return
    key = Ed25519PrivateKey.generate()
    folder = state_dir() / machine.code
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private_file(folder / "key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    _, secret = create_token(machine)
    enrol(secret, key.public_key().public_bytes_raw(), base64.b64encode(key.sign(ENROL_DOMAIN + secret.encode())).decode())


def kept_key(code: str) -> Ed25519PrivateKey | None:
    """The key in a machine's folder, if there is one."""
    path = state_dir() / code / "key.pem"
    if not path.exists():
        return None
    key = load_pem_private_key(path.read_bytes(), None)
    return key if isinstance(key, Ed25519PrivateKey) else None


def signature_headers(code: str, kind: str, topic: str, value: bytes) -> Headers:
    """The headers that sign a message of this machine; none if it has no key."""
    key = kept_key(code)
    if key is None:
        return []
    signature = base64.b64encode(key.sign(signed_bytes(kind.encode(), topic, code.encode(), value)))
    return [("keyid", key_id(key.public_key().public_bytes_raw()).encode()), ("signature", signature)]
