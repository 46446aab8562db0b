"""Which thread answers a request: one from end to end, and the next request has it, with its database connection, again."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.signals import request_finished, request_started

from billingsite.handler import IDLE_THREADS, OneThread

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/no-such-page/",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
}


@pytest.fixture
def seen() -> Iterator[list[tuple[str, int]]]:
    """What happened to requests, and in which thread. Whatever Django itself does between the two happens in that thread, too."""
    happened: list[tuple[str, int]] = []

    def began(**what: Any) -> None:
        happened.append(("began", threading.get_ident()))

    def ended(**what: Any) -> None:
        happened.append(("ended", threading.get_ident()))

    request_started.connect(began)
    request_finished.connect(ended)
    yield happened
    request_started.disconnect(began)
    request_finished.disconnect(ended)


async def answered(handler: OneThread) -> int:
    """Ask for a page that needs no database, as there is none. Return the status."""
    asking: Any = ApplicationCommunicator(handler, dict(SCOPE))  # type: ignore[no-untyped-call] # asgiref's has no types
    await asking.send_input({"type": "http.request", "body": b""})
    start = await asking.receive_output(timeout=30)
    await asking.receive_output(timeout=30)
    await asking.wait(timeout=30)
    return int(start["status"])


@pytest.mark.asyncio
async def test_requests_in_turn_have_one_thread_from_end_to_end(seen: list[tuple[str, int]]) -> None:
    handler = OneThread()

    statuses = [await answered(handler) for _ in range(3)]

    assert statuses == [404, 404, 404]
    assert [what for what, _ in seen] == ["began", "ended"] * 3
    assert len({thread for _, thread in seen}) == 1


@pytest.mark.asyncio
async def test_requests_at_once_do_not_wait_for_each_other_and_few_threads_stay(seen: list[tuple[str, int]]) -> None:
    handler = OneThread()
    many = IDLE_THREADS + 4
    meeting = threading.Barrier(many, timeout=30)

    def wait(**what: Any) -> None:
        meeting.wait()

    request_started.connect(wait)
    try:
        statuses = await asyncio.gather(*(answered(handler) for _ in range(many)))
    finally:
        request_started.disconnect(wait)

    assert statuses == [404] * many
    assert len({thread for what, thread in seen if what == "began"}) == many
    assert len(handler._idle) == IDLE_THREADS
