"""Only what a machine's own key has signed counts, byte for byte."""

import argparse
import base64
from typing import Any

import msgspec
import pytest

from benchmarks import forgery
from tests.usage.build import NOW_MS, V1_HEADERS
from tests.usage.signed import KEY, OTHER_KEY, name_of, signature, signed
from usage.signing import KnownKey, check, claimed_key, verifies
from usage.wire import RawMessage
from usage.wire_errors import Refused

KNOWN = {
    name_of(KEY): KnownKey(b"web-1", KEY.public_key().public_bytes_raw()),
    name_of(OTHER_KEY): KnownKey(b"web-2", OTHER_KEY.public_key().public_bytes_raw()),
}


def refusal(message: RawMessage, known: dict[str, KnownKey] = KNOWN) -> str:
    with pytest.raises(Refused) as refused:
        check(message, known, NOW_MS)
    return refused.value.reason


def with_header(message: RawMessage, name: str, value: bytes) -> RawMessage:
    return msgspec.structs.replace(message, headers=tuple((n, value if n == name else v) for n, v in message.headers))


def test_a_message_signed_with_its_machines_key_is_right() -> None:
    check(signed(), KNOWN, NOW_MS)


def test_the_claim_of_a_message_without_a_signature_is_none() -> None:
    assert claimed_key(signed(headers=V1_HEADERS)) is None
    assert claimed_key(signed()) == name_of(KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"topic": "another_topic"},
        {"key": b"web-9"},
        {"key": None},
        {"value": b"{}"},
        {"value": None},
        {"headers": V1_HEADERS[:1]},
        {"headers": (*V1_HEADERS, ("keyid", name_of(KEY).encode()))},
        {"headers": (*V1_HEADERS, ("signature", signature(KEY, "resource_usage", b"web-1", b"")))},
    ],
)
def test_what_was_changed_after_signing_is_refused(changes: dict[str, Any]) -> None:
    message = signed(**changes)

    assert refusal(message) in ("bad_signature", "unknown_key")


def test_another_machines_key_does_not_count() -> None:
    assert refusal(signed(by=OTHER_KEY)) == "bad_signature"


def test_a_key_counts_until_its_end_and_no_longer() -> None:
    def until(end_ms: int) -> dict[str, KnownKey]:
        return {name_of(KEY): KnownKey(b"web-1", KEY.public_key().public_bytes_raw(), end_ms)}

    check(signed(), until(NOW_MS + 1), NOW_MS)
    assert refusal(signed(), until(NOW_MS)) == "unknown_key"


def test_the_type_of_a_message_is_signed_too() -> None:
    assert refusal(with_header(signed(), "ce_type", b"corehour.usage.v2")) == "bad_signature"


@pytest.mark.parametrize("changed", [b"", b"AAAA", b"=", b"\xff", b"A" * 88])
def test_what_is_no_signature_is_refused(changed: bytes) -> None:
    assert refusal(with_header(signed(), "signature", changed)) == "bad_signature"


def test_the_same_signature_written_in_another_way_is_refused() -> None:
    message = signed()
    text = dict(message.headers)["signature"]
    letter = text[-3:-2]  # Of the last letter of 64 bytes in base64 four bits mean nothing.
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = bytes([alphabet[alphabet.index(letter) ^ 1]])

    assert refusal(with_header(message, "signature", text[:-3] + other + b"==")) == "bad_signature"


def test_no_mutation_of_a_signed_message_is_accepted() -> None:
    """`python -m benchmarks forgery` does a hundred thousand."""
    figures = forgery.measure(argparse.Namespace(mutations=10_000, seed=6))

    assert figures["untouched_accepted"] == "4 of 4"
    assert figures["accepted"] == []
    assert sum(figures["refused"].values()) == 10_000


def test_what_a_check_lets_through_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.forgery.check", lambda raw, known, now_ms: None)

    figures = forgery.measure(argparse.Namespace(mutations=3, seed=6))

    assert figures["failed"]
    assert len(figures["accepted"]) == 3


def test_a_request_is_verified_by_its_text() -> None:
    public, text = KEY.public_key().public_bytes_raw(), base64.b64encode(KEY.sign(b"content")).decode()

    assert verifies(public, text, b"content")
    assert not verifies(public, text, b"other")
    assert not verifies(public, "no base64!", b"content")
    assert not verifies(b"short", text, b"content")
