"""The bytes that leave the machine, held by golden files that the server's tests read too."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.samples import Host, Sample
from agent.wire import MOST_BYTES, Message, Numbered, encode, encode_reading, envelopes
from tests.agent.build import HOST, T0, sample

GOLDEN = Path(__file__).parent.parent / "data" / "wire"
STREAM = "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f"


def golden(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return content


def written(message: Message) -> tuple[str, list[list[str]], int | None, str]:
    return message.key.decode(), [[n, v.decode()] for n, v in message.headers], message.timestamp_ms, message.value.decode()


def expected(file: dict[str, Any]) -> tuple[str, list[list[str]], int | None, str]:
    return file["key"], file["headers"], file["timestamp_ms"], file["value"]


def numbered(count: int, host: Host = HOST, first: int = 0) -> list[Numbered]:
    return [Numbered(seq, host, sample(seq)) for seq in range(first, first + count)]


@pytest.mark.parametrize("name", ["v1_one_sample", "v1_bounds"])
def test_samples_are_written_as_the_golden_files_have_them(name: str) -> None:
    file = golden(name)
    decoded = file["decoded"]
    host = Host(**decoded["host"])
    batch = [
        Numbered(s["seq"], host, Sample(s["start"], s["end"], **{k: s[k] for k in s if k not in ("seq", "start", "end")}))
        for s in decoded["samples"]
    ]

    message = encode(decoded["machine"], decoded["stream"], batch)

    assert written(message) == expected(file)


def test_a_version_0_reading_is_written_as_the_golden_file_has_it() -> None:
    message = encode_reading("paper-1", 37_500_000, 61_200_000, 1_764_028_800_000)

    assert written(message) == expected(golden("v0_reading"))


@pytest.mark.parametrize(("micro", "text"), [(0, "0"), (100_000_000, "100"), (1, "0.000001"), (12_340_000, "12.34")])
def test_a_percentage_is_written_without_a_float(micro: int, text: str) -> None:
    assert f'"cpu_usage":{text},'.encode() in encode_reading("a", micro, 0, 0).value


def test_a_message_carries_up_to_500_samples_and_the_next_one_goes_on() -> None:
    packed = list(envelopes("web-1", STREAM, numbered(1_001)))

    assert [(envelope.first, envelope.end) for envelope in packed] == [(0, 500), (500, 1_000), (1_000, 1_001)]
    assert dict(packed[1].message.headers)["ce_id"] == f"{STREAM}:500".encode()


def test_a_message_speaks_of_one_host() -> None:
    grown = Host(cores=16, memory_mib=65_536)

    packed = list(envelopes("web-1", STREAM, numbered(3) + numbered(2, grown, first=3)))

    assert [(envelope.first, envelope.end) for envelope in packed] == [(0, 3), (3, 5)]
    assert json.loads(packed[1].message.value)["host"] == {"cores": 16, "memory_mib": 65_536}


def test_500_of_the_largest_samples_stay_below_the_limit_or_are_parted() -> None:
    huge = [Numbered(n, HOST, Sample(T0, T0 + 1, *[2**200] * 7)) for n in range(500)]

    packed = list(envelopes("web-1", STREAM, huge))

    assert [envelope.end - envelope.first for envelope in packed] == [250, 250]
    assert max(len(envelope.message.value) for envelope in packed) <= MOST_BYTES


def test_no_sample_or_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        encode("web-1", STREAM, [])
    with pytest.raises(ValueError, match="1 to 500"):
        encode("web-1", STREAM, numbered(501))
