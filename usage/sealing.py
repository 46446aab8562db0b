"""Sealed values, opened: HPKE (RFC 9180) to one of the server's keys, after the signature was found right. Pure.

The mark cannot begin JSON, so what a value is does not hang on a header. docs/wire-format.md has the text.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from usage.wire import MAX_BYTES, RawMessage
from usage.wire_errors import Refused

INFO: Final = b"corehour.sealed.1\n"
MARK: Final = b"CHS1"
ID_BYTES: Final = 8
OVERHEAD: Final = 128
SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def is_sealed(raw: RawMessage) -> bool:
    return raw.value is not None and raw.value.startswith(MARK)


def opened(raw: RawMessage, keys: Mapping[str, X25519PrivateKey]) -> RawMessage:
    """The message as its agent wrote it before sealing. Raise Refused where no key here opens it."""
    value = raw.value or b""
    if len(value) > MAX_BYTES + OVERHEAD:
        raise Refused("too_large", f"{len(value)} bytes; the most is {MAX_BYTES + OVERHEAD} sealed")
    name, content = value[len(MARK) : len(MARK) + ID_BYTES].hex(), value[len(MARK) + ID_BYTES :]
    key = keys.get(name)
    if key is None:
        raise Refused("sealed", f"sealed to the key {name}, which is not here")
    info = INFO + b"".join(len(part).to_bytes(4, "big") + part for part in (raw.topic.encode(), raw.key or b""))
    try:
        return msgspec.structs.replace(raw, value=SUITE.decrypt(content, key, info))
    except (InvalidTag, ValueError):
        raise Refused("sealed", f"it does not open with the key {name}") from None
