"""What an agent signs and seals is what a server verifies and opens: golden files, each side read with its own code."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.keys import MachineKey
from agent.seal import SealingKey
from agent.wire import Message
from usage.sealing import is_sealed, opened
from usage.signing import KnownKey, check, key_id
from usage.wire import RawMessage

GOLDEN = Path(__file__).parent / "data" / "signed"


def file(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return content


def received(golden: dict[str, Any], message: Message | None = None) -> RawMessage:
    """The golden message, or one that the agent made, as Kafka delivers it."""
    headers = tuple((name, text.encode()) for name, text in golden["headers"])
    value, headers = (message.value, message.headers) if message else (base64.b64decode(golden["value"]), headers)
    return RawMessage(golden["topic"], "topic-id", 0, 0, 0, golden["key"].encode(), value, headers)


def known(golden: dict[str, Any]) -> dict[str, KnownKey]:
    public = base64.b64decode(golden["public_key"])
    return {key_id(public): KnownKey(golden["key"].encode(), public)}


def unsealed(golden: dict[str, Any], raw: RawMessage) -> bytes | None:
    if not is_sealed(raw):
        return raw.value
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(golden["sealing_private_key"]))
    return opened(raw, {golden["sealing_key"]["id"]: private}).value


def as_the_agent_writes(golden: dict[str, Any]) -> Message:
    kept = tuple((name, text.encode()) for name, text in golden["headers"] if name not in ("keyid", "signature", "content-type"))
    plain = Message(golden["key"].encode(), golden["plain"].encode(), (*kept, ("content-type", b"application/json")))
    if "sealing_key" in golden:
        sealing = SealingKey.of(golden["sealing_key"])
        assert sealing is not None
        plain = sealing.sealed(golden["topic"], plain)
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(golden["private_key"]))
    return MachineKey(private).signed(golden["topic"], plain)


@pytest.mark.parametrize("name", ["signed", "sealed"])
def test_the_server_takes_the_golden_message(name: str) -> None:
    golden = file(name)

    check(received(golden), known(golden), 0)
    assert unsealed(golden, received(golden)) == golden["plain"].encode()


@pytest.mark.parametrize("name", ["signed", "sealed"])
def test_the_server_takes_what_the_agent_writes(name: str) -> None:
    golden = file(name)
    raw = received(golden, as_the_agent_writes(golden))

    check(raw, known(golden), 0)
    assert unsealed(golden, raw) == golden["plain"].encode()


def test_a_signature_is_always_the_same_bytes() -> None:
    golden = file("signed")

    written = as_the_agent_writes(golden)

    assert written.value == base64.b64decode(golden["value"])
    assert sorted([name, text.decode()] for name, text in written.headers) == sorted(golden["headers"])
