"""A refused message made readable, without hiding why it was refused."""

import pytest

from usage.payload import SHOWN, readable, readable_headers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'{"b":1,"a":"\xc3\xbc"}', '{\n  "b": 1,\n  "a": "ü"\n}'),
        (b'{"a":1,"a":2}', '{"a":1,"a":2}'),
        (b"{'oops'", "{'oops'"),
        (b"\xff\x00", "\\xff\x00"),
        (b"", ""),
        (b"[" * 100_000, "[" * SHOWN + "\n… 80000 characters more"),
        (b"1" * 5_000, "1" * 5_000),
    ],
    ids=["json", "key twice", "no json", "no text", "nothing", "too deep", "too long a number"],
)
def test_a_value(value: bytes, shown: str) -> None:
    assert readable(value) == shown


def test_headers_are_one_a_line() -> None:
    assert readable_headers([["ce_type", "Y29yZWhvdXI="], ["raw", "/w=="]]) == "ce_type: corehour\nraw: \\xff"
