"""The desk in a real browser: many messages with a progress bar."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Open, Server
from tests.browser.people import now_ms
from tests.cast import an_operator
from usage.models import Reason, RejectedMessage


def refusals(count: int) -> None:
    place = {"topic": "resource_usage", "topic_id": "t", "partition": 0, "timestamp_ms": now_ms()}
    rows = [
        RejectedMessage(**place, offset=offset, key=b"web-9", value=b"{'oops'", reason=Reason.NOT_JSON, machine_code="web-9")
        for offset in range(count)
    ]
    RejectedMessage.objects.bulk_create(rows)


def test_what_is_still_refused_is_said_by_reason(open_page: Open, server: Callable[..., Server]) -> None:
    refusals(3)
    page = open_page("/admin/usage/rejectedmessage/bulk/replay/?reason__exact=not_json", an_operator(), at=server().address)

    page.get_by_role("button", name="Replay them").click()

    expect(page.get_by_text("3 still refused: Not JSON")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("status")).to_contain_text("0 replayed")
    assert RejectedMessage.objects.filter(state="open", replays=1).count() == 3
