"""The admin in a real browser: nothing breaks its content policy, the fleet moves, the desk works."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from channels.layers import get_channel_layer
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Server
from tests.browser.people import acme_with_a_month, now_ms, store
from tests.cast import a_customer, a_machine, an_operator
from usage.live import FLEET_GROUP
from usage.models import IngestOffset, Machine, Reason, RejectedMessage

PAGES = (
    "/admin/",
    "/admin/schedules/",
    "/admin/accounts/user/",
    "/admin/accounts/user/add/",
    "/admin/accounts/customer/add/",
    "/admin/accounts/apikey/",
    "/admin/accounts/apikey/add/",
    "/admin/auth/group/add/",
    "/admin/usage/machine/",
    "/admin/usage/machine/add/",
    "/admin/usage/rejectedmessage/",
    "/admin/usage/usagebucket/",
    "/admin/usage/ingestoffset/",
    "/admin/invoices/invoice/",
    "/admin/invoices/rateplan/",
    "/api/docs/",
)


def a_refusal(offset: int = 0) -> RejectedMessage:
    place = {"topic": "resource_usage", "topic_id": "t", "partition": 0, "offset": offset, "timestamp_ms": now_ms()}
    return RejectedMessage.objects.create(**place, key=b"web-9", value=b"{'oops'", reason=Reason.NOT_JSON, machine_code="web-9")


def push_to_fleet(*points: dict[str, Any]) -> None:
    """As the worker does after its commit; in a thread, because Playwright keeps a loop in this one."""
    layer: Any = get_channel_layer()
    with ThreadPoolExecutor(1) as thread:
        sent = layer.group_send(FLEET_GROUP, {"type": "usage.points", "points": list(points)})
        thread.submit(asyncio.run, sent).result()


def cores_drawn(page: Page) -> float:
    """The newest value in the fleet's chart."""
    lines: str = page.evaluate("document.querySelector('usage-chart').csv()")
    return float(lines.strip().splitlines()[-1].split(",")[1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_its_policy_or_asks_another_host(open_page: Open, address: str, scheme: str) -> None:
    """What a page complains of is collected by `open_page` and fails the test at its end."""
    acme_with_a_month()
    a_refusal()

    page = open_page("/admin/", an_operator(), scheme=scheme)

    for path in PAGES:
        answer = page.goto(f"{address}{path}")
        page.wait_for_load_state("networkidle")
        assert answer is not None
        assert answer.status == 200, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_start_page_can_be_read_by_everyone(open_page: Open, scheme: str) -> None:
    acme_with_a_month()
    a_refusal()

    page = open_page("/admin/", an_operator(), scheme=scheme)
    expect(page.locator("usage-chart")).to_have_attribute("state", "live")
    found = Axe().run(page, context=".start").response["violations"]
    page.set_viewport_size({"width": 360, "height": 800})

    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.usefixtures("_one_layer")
def test_the_fleet_moves_with_a_push(open_page: Open) -> None:
    acme_with_a_month()
    page = open_page("/admin/", an_operator())
    expect(page.locator("usage-chart")).to_have_attribute("state", "live")
    page.wait_for_function("document.querySelector('usage-chart').csv().length > 100")
    before = cores_drawn(page)

    push_to_fleet({"machine": "web-1", "t": now_ms(), "cpu_percent": 99.0, "cores": 77.0, "memory_mib": 1, "memory_percent": 1.0})
    page.wait_for_function("Number(document.querySelector('usage-chart').csv().trim().split(',').at(-1)) >= 77", timeout=2_500)

    assert before < 77


def test_the_figures_follow_without_a_push(open_page: Open) -> None:
    acme_with_a_month()
    place = {"topic": "t", "partition": 0, "cluster_id": "c", "topic_id": "t", "first_offset": 0}
    offset = IngestOffset.objects.create(**place, next_offset=10, stored=10)
    page = open_page("/admin/", an_operator())
    rejected, rate = page.locator('[data-figure="rejected"]'), page.locator('[data-figure="rate"] strong')
    expect(rejected.locator("strong")).to_have_text("0")

    a_refusal()
    IngestOffset.objects.filter(pk=offset.pk).update(next_offset=5_010, stored=5_010)
    store(Machine.objects.get(code="web-1"), 2_000)

    expect(rejected.locator("strong")).to_have_text("1", timeout=8_000)
    expect(rejected).to_have_class("figure figure-alarm")
    expect(rate).not_to_have_text("–", timeout=12_000)


def test_an_empty_fleet_says_so(open_page: Open) -> None:
    a_machine(a_customer())

    page = open_page("/admin/", an_operator())

    expect(page.get_by_text("No machine has reported in the last quarter of an hour.")).to_be_visible()


def test_a_server_that_goes_and_comes_back(open_page: Open, server: Callable[..., Server]) -> None:
    acme_with_a_month()
    mine = server()
    page = open_page("/admin/", an_operator(), at=mine.address, expect_errors=True)
    chart = page.locator("usage-chart")
    expect(chart).to_have_attribute("state", "live")

    mine.stop()
    expect(chart).to_have_attribute("state", "reconnecting", timeout=10_000)
    mine.start()

    expect(chart).to_have_attribute("state", "live", timeout=20_000)


def test_a_message_is_discarded_with_a_reason_in_the_dialog(open_page: Open, server: Callable[..., Server]) -> None:
    """On a server of its own: an older one would remember the content types of a database that is gone."""
    rejected = a_refusal()
    page = open_page(f"/admin/usage/rejectedmessage/{rejected.pk}/change/", an_operator(), at=server().address)

    page.get_by_role("link", name="Discard").click()
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.locator("[name=reason]").fill("A test machine")
    page.get_by_role("button", name="Discard").click()

    expect(page.get_by_text("resource_usage-0@0 discarded.")).to_be_visible()
    rejected.refresh_from_db()
    assert (rejected.state, rejected.resolution) == ("discarded", "A test machine")


def test_several_are_discarded_with_one_reason(open_page: Open, server: Callable[..., Server]) -> None:
    for offset in range(3):
        a_refusal(offset)
    page = open_page("/admin/usage/rejectedmessage/", an_operator(), at=server().address)

    for number in range(2):
        page.locator("input.action-select").nth(number).check()
    page.locator("select[name=action]").select_option("discard_chosen")
    page.get_by_role("button", name="Run").click()
    page.locator("[name=reason]").fill("A test machine")
    page.get_by_role("button", name="Discard").click()

    expect(page.get_by_text("resource_usage-0@1 discarded.")).to_be_visible()
    assert RejectedMessage.objects.filter(state="open").count() == 1


def test_the_theme_switch_reaches_the_chart(open_page: Open) -> None:
    acme_with_a_month()
    page = open_page("/admin/", an_operator())
    expect(page.locator("usage-chart")).to_have_attribute("state", "live")

    page.evaluate("document.documentElement.classList.add('dark')")

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.querySelector('.start')).colorScheme") == "dark"
