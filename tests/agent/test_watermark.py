"""The server's word lets the spool forget, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agent.outbox import Outbox
from agent.server import Server
from agent.spool import Spool
from agent.watermark import DAY_MS, HttpWatermark, Upkeep, run
from tests.agent.build import HOST, T0, Time, sample, spool_with


class Portal(ThreadingHTTPServer):
    """Answers with what a test puts there, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: object = {"watermark": 0}
        self.asked: list[tuple[str, str | None]] = []
        self.moved_to: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Portal

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.server.moved_to and self.path != "/moved":
            self.send_response(302)
            self.send_header("Location", self.server.moved_to + "/moved")
            self.end_headers()
            return
        self.send_response(200 if self.headers.get("Authorization") == "Bearer key-1" else 401)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Portal]:
    with Portal() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def portal() -> Iterator[Portal]:
    with serving() as server:
        yield server


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Ten samples, all of them on the broker."""
    spool = spool_with(tmp_path, 10)
    spool.acknowledge(10)
    return spool


def kept(spool: Spool) -> list[int]:
    return [numbered.seq for numbered in spool.read(0, 100, 100)]


def test_what_the_server_has_stored_is_forgotten(portal: Portal, spool: Spool) -> None:
    portal.answer = {"machine": "web-1", "watermark": 6}

    Upkeep(Outbox("web-1", spool), HttpWatermark(Server(portal.url + "/", api_key="key-1")), keep_days=7).step(T0)

    assert kept(spool) == [6, 7, 8, 9]
    assert portal.asked == [(f"/api/v1/machines/web-1/watermark?stream={spool.stream}", "Bearer key-1")]


@pytest.mark.parametrize("answer", [{}, {"watermark": "6"}, {"watermark": -1}, {"watermark": True}, ["watermark"]])
def test_an_answer_that_is_no_watermark_forgets_nothing(portal: Portal, spool: Spool, answer: object) -> None:
    portal.answer = answer

    Upkeep(Outbox("web-1", spool), HttpWatermark(Server(portal.url, api_key="key-1")), keep_days=7).step(T0)

    assert kept(spool) == list(range(10))


def test_without_the_right_key_nothing_is_forgotten(portal: Portal, spool: Spool) -> None:
    portal.answer = {"watermark": 6}

    Upkeep(Outbox("web-1", spool), HttpWatermark(Server(portal.url, api_key="other")), keep_days=7).step(T0)

    assert kept(spool) == list(range(10))


def test_a_redirect_takes_the_key_to_no_other_host(portal: Portal, spool: Spool) -> None:
    upkeep = Upkeep(Outbox("web-1", spool), HttpWatermark(Server(portal.url, api_key="key-1")), keep_days=7)
    with serving() as other:
        other.answer = portal.answer = {"watermark": 6}

        portal.moved_to = other.url
        upkeep.step(T0)
        assert other.asked == []
        assert kept(spool) == list(range(10))

        portal.moved_to = portal.url
        upkeep.step(T0)
        assert portal.asked[-1] == ("/moved", "Bearer key-1")
        assert kept(spool) == [6, 7, 8, 9]


def test_a_server_that_is_away_is_no_error(spool: Spool) -> None:
    Upkeep(Outbox("web-1", spool), HttpWatermark(Server("http://127.0.0.1:1", api_key=None)), keep_days=7).step(T0)

    assert kept(spool) == list(range(10))


def test_without_a_server_what_the_broker_has_goes_after_some_days(spool: Spool) -> None:
    upkeep = Upkeep(Outbox("web-1", spool), None, keep_days=7)

    upkeep.step(T0 + 7 * DAY_MS + 1)
    assert kept(spool) == list(range(10))
    upkeep.step(T0 + 7 * DAY_MS + 25_001)
    assert kept(spool) == [5, 6, 7, 8, 9]


def test_a_spool_that_is_behind_the_server_loses_nothing_unsent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = spool_with(tmp_path, 10)
    spool.acknowledge(7)
    outbox, first, asked = Outbox("web-1", spool), spool.stream, list[str]()

    def server(machine: str, stream: str) -> int:
        asked.append(stream)
        return 500 if stream == first else 2

    upkeep = Upkeep(outbox, server, keep_days=7)
    upkeep.step(T0)
    assert kept(spool) == list(range(10))
    assert "the server has stream" in caplog.text
    assert spool.append(HOST, [sample(number) for number in range(10, 600)])  # Ahead of 500 before anything could be sent.
    upkeep.step(T0)
    assert asked == [first]

    sent = [json.loads(message.value) for message in outbox.collect()]
    assert {body["stream"] for body in sent} == {spool.stream} != {first}
    assert [one["seq"] for body in sent for one in body["samples"]] == list(range(593))
    assert sent[0]["samples"][0]["start"] == sample(7).start_ms
    assert outbox.settle([True] * len(sent)) == 593

    upkeep.step(T0)
    assert asked == [first, spool.stream]
    assert spool.oldest() == 2
    assert outbox.collect() == []


def test_a_batch_under_way_when_a_stream_is_left_goes_again_in_the_next(spool: Spool) -> None:
    spool.append(HOST, [sample(10)])
    outbox = Outbox("web-1", spool)
    under_way = outbox.collect()

    Upkeep(outbox, lambda machine, stream: 500, keep_days=7).step(T0)
    outbox.settle([False] * len(under_way))

    assert [message.value.count(b'"seq"') for message in outbox.collect()] == [1]


def test_the_server_is_asked_at_once(spool: Spool) -> None:
    stopping = threading.Event()

    def server(machine: str, stream: str) -> int:
        stopping.set()
        return 6

    run([Upkeep(Outbox("web-1", spool), server, keep_days=7)], stopping)

    assert spool.position().watermark == 6


def test_a_watermark_that_stands_still_makes_the_agent_send_again_ever_more_rarely(spool: Spool) -> None:
    time, outbox = Time(), Outbox("web-1", spool)
    upkeep = Upkeep(outbox, lambda machine, stream: 6, keep_days=7, monotonic=time.monotonic_s)
    sent_after = []

    for minute in range(60):
        upkeep.step(T0)
        if messages := outbox.collect():
            sent_after.append(minute)
            outbox.settle([True] * len(messages))
        time.pass_ms(60_000)

    assert sent_after == [15, 45]


def test_a_watermark_that_moves_or_has_arrived_sends_nothing_again(spool: Spool) -> None:
    time, outbox, marks = Time(), Outbox("web-1", spool), iter([2, 4, 6, 8, *[10] * 100])
    upkeep = Upkeep(outbox, lambda machine, stream: next(marks), keep_days=7, monotonic=time.monotonic_s)

    for _ in range(10):
        upkeep.step(T0)
        time.pass_ms(14 * 60_000)

    assert outbox.collect() == []
    assert kept(spool) == []
