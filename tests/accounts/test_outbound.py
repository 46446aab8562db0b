"""What a customer names is called only where it is public: nothing inside is ever connected to."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from accounts import outbound
from accounts.outbound import NoAnswer, Refused
from tests.accounts.receiver import Receiver, receiving

INSIDE = (
    "0.0.0.0", "0.1.2.3",  # noqa: S104 - an address to refuse
    "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.9.10",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.192", "192.0.2.7", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:a00:1::", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "ff0e::1",
)  # fmt: skip
OUTSIDE = ("1.1.1.1", "93.184.215.14", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1")
BAD = (
    "http://hooks.acme.example/", "ftp://hooks.acme.example/", "//hooks.acme.example/", "https://", "https:///x", "",
    "https://user@hooks.acme.example/", "https://user:word@hooks.acme.example/", "https://hooks.acme.example/#x",
    "https://hooks.acme.example:22/", "https://hooks.acme.example:0/", "https://hooks.acme.example:99999/",
    "https://hooks.acme.example/a b", "https://hooks.acme.example/\r\nHost: x", "https://hooks.acme.example\\@127.0.0.1/",
    "https://[::1/", "https://hoöks.example/", "https://hooks.acme.example/" + "x" * 500,
)  # fmt: skip

_connects: list[Any] | None = None  # While a list: where this process tried to connect to. Each try is stopped.


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _connects is not None:
        _connects.append(args[1])
        raise ConnectionRefusedError("watched")


sys.addaudithook(_watch)


@pytest.fixture
def connects() -> Iterator[list[Any]]:
    """Every attempt of this process to connect a socket, none of which gets through."""
    global _connects
    _connects = []
    yield _connects
    _connects = None


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """A resolver that gives one answer after the other, and the last one for ever; return what it was asked."""
    asked: list[str] = []

    def resolver(host: str, port: int, **how: Any) -> list[Any]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return asked


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_never_connected_to(
    monkeypatch: pytest.MonkeyPatch, connects: list[Any], address: str
) -> None:
    _resolve_to(monkeypatch, address)

    with pytest.raises(Refused, match="public Internet"):
        outbound.post("https://hooks.acme.example/", b"{}", {})

    assert connects == []


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_connected_to(monkeypatch: pytest.MonkeyPatch, connects: list[Any], address: str) -> None:
    _resolve_to(monkeypatch, address)

    with pytest.raises(NoAnswer, match="watched"):
        outbound.post("https://hooks.acme.example/", b"{}", {})

    assert [target[0] for target in connects] == [address]


@pytest.mark.parametrize("literal", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:7f00:1]"])
def test_an_address_in_disguise_is_never_connected_to(connects: list[Any], literal: str) -> None:
    with pytest.raises((Refused, NoAnswer)):
        outbound.post(f"https://{literal}/", b"{}", {})

    assert connects == []


def test_of_several_addresses_one_inside_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch, connects: list[Any]) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **how: both)

    with pytest.raises(Refused, match=r"10\.0\.0\.1"):
        outbound.post("https://hooks.acme.example/", b"{}", {})

    assert connects == []


def test_a_resolver_that_changes_its_mind_is_asked_once(monkeypatch: pytest.MonkeyPatch, connects: list[Any]) -> None:
    asked = _resolve_to(monkeypatch, "1.1.1.1", "127.0.0.1")

    with pytest.raises(NoAnswer):
        outbound.post("https://rebind.example/", b"{}", {})

    assert [target[0] for target in connects] == ["1.1.1.1"]
    assert asked == ["rebind.example"]


@pytest.mark.parametrize("url", BAD)
def test_an_address_of_another_form_is_refused(connects: list[Any], url: str) -> None:
    with pytest.raises(Refused):
        outbound.post(url, b"{}", {})

    assert connects == []


def test_a_resolver_that_never_answers_holds_nobody(monkeypatch: pytest.MonkeyPatch, connects: list[Any]) -> None:
    answers = threading.Event()

    def resolver(host: str, *args: Any, **how: Any) -> list[Any]:
        answers.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(outbound, "LOOKUP_S", 0.1)
    monkeypatch.setattr(outbound, "_free_lookups", threading.BoundedSemaphore(3))
    began = time.monotonic()

    why = [str(_no_answer("https://silent.example/")) for _ in range(4)]
    took_s = time.monotonic() - began
    answers.set()

    assert why[:3] == ["Nobody said within 0.1 s which address silent.example has."] * 3
    assert why[3] == "silent.example has no address: too many names are being looked up"
    assert took_s < 30
    _wait_for(lambda: outbound._free_lookups._value == 3)
    monkeypatch.setattr(outbound, "LOOKUP_S", 30)
    assert outbound.addresses_of("awake.example", 443) == ["1.1.1.1"]
    assert connects == []


def _no_answer(url: str) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        outbound.post(url, b"{}", {})
    return caught.value


def _wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving(tmp_path) as made:
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *args, **how: real("127.0.0.1" if host == made.host else host, *args, **how),
        )
        yield made


HERE = [ip_network("127.0.0.0/8")]


def test_the_name_stays_in_the_certificate_and_in_the_request(receiver: Receiver) -> None:
    answer = outbound.post(receiver.url, b"{}", {"X-Test": "1"}, allowed=HERE, ca_file=receiver.ca_file)

    assert answer.status == 204
    assert receiver.came[0][0]["host"].startswith("hooks.acme.example:")
    assert receiver.came[0][0]["x-test"] == "1"


def test_a_certificate_for_another_name_or_of_an_unknown_authority_is_refused(receiver: Receiver) -> None:
    for url, ca_file in (
        (receiver.url.replace("hooks.acme.example", "localhost"), receiver.ca_file),
        (receiver.url, ""),
    ):
        with pytest.raises(NoAnswer, match="certificate verify failed"):
            outbound.post(url, b"{}", {}, allowed=[*HERE, ip_network("::1/128")], ca_file=ca_file)

    assert receiver.came == []


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": receiver.url}

    answer = outbound.post(receiver.url, b"{}", {}, allowed=HERE, ca_file=receiver.ca_file)

    assert answer.status == 302
    assert len(receiver.came) == 1


def test_a_long_answer_is_cut(receiver: Receiver) -> None:
    receiver.status, receiver.body = 200, b"x" * 1_000_000

    answer = outbound.post(receiver.url, b"{}", {}, allowed=HERE, ca_file=receiver.ca_file)

    assert len(answer.body) == outbound.MOST_BYTES


def test_an_answer_that_drips_in_is_cut_off(receiver: Receiver) -> None:
    receiver.status, receiver.body, receiver.drip_s = 200, b"x" * 4_000, 0.05
    began = time.monotonic()

    outbound.post(receiver.url, b"{}", {}, allowed=HERE, ca_file=receiver.ca_file, total_s=1.0)

    assert time.monotonic() - began < 30  # It would take 200 s.
