"""The decoder takes what the wire format allows and names what it refuses."""

import json
from typing import Any

import pytest

from tests.usage.build import DAY_MS, LIMITS, NOW_MS, STREAM, TOPIC_ID, body, paper, raw, sample
from usage.models import Reason
from usage.wire import MAX_BYTES, RawMessage, decode, identity_stream
from usage.wire_errors import Refused

V2 = (("ce_type", b"corehour.usage.v2"),)
FOREIGN = (("ce_source", b"/machines/x"), ("ce_type", b"corehour.usage.v1"))


def test_a_message_becomes_rows_in_base_units() -> None:
    message = decode(raw(body(sample(7))), LIMITS)

    assert (message.version, message.machine, message.stream) == (1, "web-1", STREAM)
    assert (message.cores, message.memory_mib) == (8, 32_768)
    start = NOW_MS - 3_600_000 + 70_000
    # 10,000 core-ms of 80,000 are 12.5 %; 1 GiB of 32 is 3.125 %.
    assert message.rows == (
        (7, start, start + 10_000, 10_000, 10_240_000, 20_480_000, 1_000, 2_000, 300, 400, 12_500_000, 3_125_000),
    )


def test_unknown_fields_are_ignored() -> None:
    message = decode(raw(body(sample(0, gpu_ms=3.5), note={"a": [1, "b\\"]})), LIMITS)

    assert message.rows[0].cpu_ms == 10_000


def test_the_papers_reading_is_a_sample_without_an_interval() -> None:
    message = decode(paper({"machine_id": "web-1", "cpu_usage": 37.5, "memory_usage": 61.2}, offset=9), LIMITS)

    assert message.version == 0
    assert message.stream == identity_stream(TOPIC_ID, 0)
    assert message.rows == ((9, NOW_MS, NOW_MS, 0, 0, 0, 0, 0, 0, 0, 37_500_000, 61_200_000),)


@pytest.mark.parametrize(
    ("number", "upct"),
    [("0", 0), ("100", 100_000_000), ("0.0000005", 1), ("0.00000049", 0), ("3.75e1", 37_500_000), ("1e-400", 0)],
)
def test_a_percent_is_any_json_number(number: str, upct: int) -> None:
    value = b'{"machine_id": "web-1", "cpu_usage": %s, "memory_usage": 1}' % number.encode()

    assert decode(paper(value), LIMITS).rows[0].cpu_upct == upct


def test_a_machine_id_of_the_paper_may_be_a_number() -> None:
    assert decode(paper({"machine_id": 4, "cpu_usage": 1, "memory_usage": 1}), LIMITS).machine == "4"


@pytest.mark.parametrize("end", [NOW_MS + 300_000, NOW_MS - 35 * DAY_MS + 10_000])
def test_the_edges_of_time_are_inside(end: int) -> None:
    assert decode(raw(body(sample(0, start=end - 10_000, end=end))), LIMITS).rows[0].end_ms == end


def test_five_percent_more_than_the_cores_give_is_tolerated() -> None:
    assert decode(raw(body(sample(0, cpu_ms=84_000))), LIMITS).rows[0].cpu_ms == 84_000


def _text(**changes: Any) -> str:
    return json.dumps(body(**changes))


MALFORMED: list[tuple[str, RawMessage, str]] = [
    ("empty", raw(b""), "not_json"),
    ("no value", raw(b"", value=None), "not_json"),
    ("text", raw(b"hello"), "not_json"),
    ("cut off", raw(_text()[:-1].encode()), "not_json"),
    ("trailing comma", raw(_text()[:-1].encode() + b",}"), "not_json"),
    ("two documents", raw(_text().encode() * 2), "not_json"),
    ("not utf-8", raw(_text().replace("web-1", "web-\xe9").encode("latin-1")), "not_json"),
    ("byte order mark", raw(b"\xef\xbb\xbf" + _text().encode()), "not_json"),
    ("not a number", raw(_text().replace('"cores": 8', '"cores": NaN').encode()), "not_json"),
    ("nested deeply", raw(b"[" * 100_000), "not_json"),
    ("nested deeply inside", raw(_text()[:-1].encode() + b', "x": ' + b"[" * 90_000), "not_json"),
    ("a key twice", raw(_text().replace('"seq": 0', '"seq": 0, "seq": 1').encode()), "duplicate_key"),
    ("a key twice, escaped", raw(_text().replace('"seq": 0', '"seq": 0, "s\\u0065q": 1').encode()), "duplicate_key"),
    ("an unknown key twice", raw(_text().replace('"seq": 0', '"seq": 0, "x": 0, "x": 1').encode()), "duplicate_key"),
    ("a list", raw([]), "wrong_type"),
    ("null", raw(b"null"), "wrong_type"),
    ("no machine", raw({k: v for k, v in body().items() if k != "machine"}), "wrong_type"),
    ("no host", raw({k: v for k, v in body().items() if k != "host"}), "wrong_type"),
    ("samples no list", raw(body(samples={})), "wrong_type"),
    ("sample no object", raw(body(samples=[1])), "wrong_type"),
    ("seq missing", raw(body({k: v for k, v in sample().items() if k != "seq"})), "wrong_type"),
    ("seq a text", raw(body(sample(0, seq="0"))), "wrong_type"),
    ("seq true", raw(body(sample(0, seq=True))), "wrong_type"),
    ("seq null", raw(body(sample(0, seq=None))), "wrong_type"),
    ("stream no uuid", raw(body(stream="abc")), "wrong_type"),
    ("stream oddly written", raw(body(stream="{" + str(STREAM) + "}")), "wrong_type"),
    ("lone surrogate", raw(_text().replace("web-1", "web-\\ud800").encode()), "wrong_type"),
    ("a float", raw(body(sample(0, cpu_ms=1.5))), "not_integer"),
    ("a whole float", raw(body(sample(0, net_rx=1.0))), "not_integer"),
    ("an exponent", raw(_text().replace('"net_rx": 1000', '"net_rx": 1e3').encode()), "not_integer"),
    ("negative cpu", raw(body(sample(0, cpu_ms=-1))), "negative"),
    ("negative seq", raw(body(sample(0, seq=-1))), "negative"),
    ("negative bytes", raw(body(sample(0, disk_write=-1))), "negative"),
    ("seq too large", raw(body(sample(0, seq=2**63))), "out_of_range"),
    ("5,000 digits", raw(_text().replace('"net_rx": 1000', '"net_rx": ' + "9" * 5_000).encode()), "out_of_range"),
    (
        "an exponent of twenty digits",
        raw(_text().replace('"net_rx": 1000', '"net_rx": 1e99999999999999999999').encode()),
        "out_of_range",
    ),
    ("a petabyte and more", raw(body(sample(0, net_rx=2**50 + 1))), "out_of_range"),
    ("no cores", raw(body(host={"cores": 0, "memory_mib": 1})), "out_of_range"),
    ("ends as it starts", raw(body(sample(0, end=sample()["start"]))), "bad_interval"),
    ("ends before it starts", raw(body(sample(0, end=sample()["start"] - 1))), "bad_interval"),
    ("longer than an hour", raw(body(sample(0, start=NOW_MS - 3_600_001, end=NOW_MS))), "too_long"),
    ("more cpu than cores", raw(body(sample(0, cpu_ms=84_001))), "too_much_cpu"),
    ("more memory than there is", raw(body(sample(0, memory_mib_ms=344_064_001))), "too_much_memory"),
    ("in the future", raw(body(sample(0, start=NOW_MS, end=NOW_MS + 300_001))), "in_future"),
    ("too old", raw(body(sample(0, start=NOW_MS - 35 * DAY_MS - 1, end=NOW_MS - 35 * DAY_MS + 9_999))), "too_old"),
    ("no sample", raw(body(samples=[])), "empty"),
    ("501 samples", raw(body(samples=[sample(seq) for seq in range(501)])), "too_many"),
    ("257 KiB", raw(b" " * (MAX_BYTES + 1)), "too_large"),
    ("the next major version", raw(body(), headers=V2), "unknown_version"),
    ("another kind of event", raw(body(), headers=(("ce_type", b"com.example.ping"),)), "unknown_version"),
    ("another key", raw(body(), key=b"web-2"), "foreign_machine"),
    ("no key", raw(body(), key=None), "foreign_machine"),
    ("another source", raw(body(), headers=FOREIGN), "foreign_machine"),
    ("an impossible id", raw(body(machine="Web 1"), key=b"Web 1"), "unknown_machine"),
    ("version 1 without its header", raw(body(), headers=()), "wrong_type"),
    ("paper: no cpu", paper({"machine_id": "web-1", "memory_usage": 1}), "wrong_type"),
    ("paper: cpu a text", paper({"machine_id": "web-1", "cpu_usage": "1", "memory_usage": 1}), "wrong_type"),
    ("paper: cpu true", paper({"machine_id": "web-1", "cpu_usage": True, "memory_usage": 1}), "wrong_type"),
    ("paper: negative", paper({"machine_id": "web-1", "cpu_usage": -0.1, "memory_usage": 1}), "negative"),
    ("paper: 106 percent", paper({"machine_id": "web-1", "cpu_usage": 106, "memory_usage": 1}), "too_much_cpu"),
    ("paper: 1e999", paper(b'{"machine_id": "web-1", "cpu_usage": 1, "memory_usage": 1e999}'), "too_much_memory"),
    (
        "paper: twenty digits",
        paper(b'{"machine_id": "web-1", "cpu_usage": 1, "memory_usage": 1e99999999999999999999}'),
        "out_of_range",
    ),
    ("paper: no time", paper({"machine_id": "web-1", "cpu_usage": 1, "memory_usage": 1}, timestamp_ms=-1), "wrong_type"),
    ("paper: id twice", paper(b'{"machine_id": "a", "machine_id": "b", "cpu_usage": 1, "memory_usage": 1}'), "duplicate_key"),
]


@pytest.mark.parametrize(("message", "reason"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_a_malformed_message_is_refused_with_its_reason(message: RawMessage, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        decode(message, LIMITS)

    assert refused.value.reason == reason
    assert refused.value.detail
    assert reason in Reason.values


def test_every_reason_of_the_decoder_is_in_the_table() -> None:
    later = {"retired_machine", "equivocation", "overlap", "poison"}  # Found by ingest, not by the decoder.
    later |= {"unsigned", "unknown_key", "bad_signature", "sealed"}  # Found before it.

    assert {row[2] for row in MALFORMED} | later == set(Reason.values)
