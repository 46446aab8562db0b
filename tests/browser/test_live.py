"""What moves on a page, what it says while it cannot, and that nothing is missing afterwards."""

import re
import time
from collections.abc import Callable
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Membership, User
from tests.browser.conftest import Open, Server
from tests.browser.people import acme_with_a_month, now_ms, push, samples, store
from tests.cast import a_customer, a_machine
from usage.models import Machine, UsageSample

pytestmark = pytest.mark.usefixtures("_one_layer")


def await_live(page: Page) -> None:
    expect(page.locator("[data-word]")).to_have_text("Live", timeout=15_000)


def points_of(page: Page, chart: str = "[data-fleet-chart]") -> dict[float, float | None]:
    """The chart's data as its CSV would have it: epoch seconds to value, None for a hole."""
    lines = page.evaluate(f"document.querySelector('{chart}').csv()").strip().splitlines()[1:]
    cells = [line.split(",") for line in lines]
    return {_seconds(when): float(value) if value else None for when, value, *_ in cells}


def _seconds(when: str) -> float:
    return datetime.fromisoformat(when).timestamp()


def total(page: Page) -> str:
    return str(page.locator("[data-running]").get_attribute("value"))


def test_the_chart_and_the_cost_move_as_usage_is_stored(open_page: Open) -> None:
    acme, olga, _ = acme_with_a_month()
    web = Machine.objects.get(code="web-1")
    page = open_page("/", olga)
    await_live(page)
    before = page.locator("[data-running]").inner_text()

    point = store(web, core_ms=3_600_000 * 7, length_ms=1_000)
    began = time.monotonic()
    push(acme, point | {"cores": 7.5})

    row = page.locator('[data-machine="web-1"]')
    expect(row.locator("[data-cpu]")).to_have_text("90 %", timeout=3_000)
    assert time.monotonic() - began < 1.5
    expect(page.locator("[data-running]")).not_to_have_text(before, timeout=5_000)
    expect(page.locator("[data-running]")).to_have_attribute("value", total(page))
    assert max(value or 0 for value in points_of(page).values()) == 7.5
    lines = page.locator("[data-lines] tbody [data-amount]").all_inner_texts()
    cents = [round(float(amount.lstrip("€").replace(",", "")) * 100) for amount in lines]
    assert sum(cents) == round(float(total(page)) * 100)
    assert page.locator("[data-lines] tfoot [data-total]").inner_text() == f"€{total(page)}"


def test_states_are_said_in_words_and_change_as_time_passes(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    UsageSample.objects.filter(machine__code="web-1").delete()
    Machine.objects.filter(code="web-1").update(last_seen_ms=now_ms() - 56_000)
    page = open_page("/machines/", olga)
    state = page.locator('[data-machine="web-1"] td [data-state]')

    expect(state).to_have_text("Reporting")
    expect(page.locator('[data-machine="late-1"] td [data-state]')).to_have_text("Late")
    expect(page.locator('[data-machine="silent-1"] td [data-state]')).to_have_text("Silent")
    expect(page.locator("h1 + p")).to_have_text("3 machines: 1 reporting, 1 late, 1 silent")
    expect(state).to_have_text("Late", timeout=8_000)
    expect(page.locator('[data-machine="silent-1"] time[data-ago]')).to_have_text("2 h 0 min ago")


def test_the_chart_begins_with_the_last_quarter_of_an_hour(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/", olga)
    await_live(page)

    points = points_of(page)

    assert len(points) > 120
    assert 4.0 in points.values()  # half of the eight cores of web-1


def test_pausing_holds_the_picture_and_the_figures_and_loses_nothing(open_page: Open) -> None:
    acme, olga, _ = acme_with_a_month()
    web = Machine.objects.get(code="web-1")
    page = open_page("/", olga)
    await_live(page)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-word]")).to_have_text("Paused")
    held = page.locator("[data-running]").inner_text()

    push(acme, store(web, core_ms=3_600_000 * 30))
    page.wait_for_timeout(3_000)
    assert page.locator("[data-running]").inner_text() == held
    page.get_by_role("button", name="Resume").click()

    expect(page.locator("[data-running]")).not_to_have_text(held, timeout=3_000)
    expect(page.locator("[data-word]")).to_have_text("Live")


def test_a_server_that_goes_and_comes_back_leaves_no_hole(open_page: Open, server: Callable[..., Server]) -> None:
    acme, olga, _ = acme_with_a_month()
    web = Machine.objects.get(code="web-1")
    own = server()
    page = open_page("/", olga, at=own.address, expect_errors=True)
    await_live(page)

    own.stop()
    expect(page.locator("[data-word]")).to_have_text("Reconnecting", timeout=5_000)
    expect(page.locator("[data-fleet-chart] .chart-status")).to_contain_text("Reconnecting")
    gone_at = now_ms()
    stored_until = gone_at + 3_000
    samples(web, stored_until, count=3, every_ms=1_000)
    Machine.objects.filter(pk=web.pk).update(last_seen_ms=stored_until)
    store(web, core_ms=3_600_000 * 3, length_ms=1_000)
    own.start()
    await_live(page)

    since = [value for at, value in points_of(page).items() if at * 1_000 >= gone_at - 1_000]
    assert since
    assert None not in since
    # Later than all that the page has, which may be back before the last stored sample ends: it takes none backwards.
    after = max(stored_until, *(int(at * 1_000) for at in points_of(page))) + 1_000
    push(acme, store(web, core_ms=6_000) | {"cores": 6.5, "t": after})
    page.wait_for_timeout(2_000)
    assert 6.5 in points_of(page).values()


def test_where_sockets_are_blocked_the_page_polls(open_page: Open, server: Callable[..., Server]) -> None:
    _, olga, _ = acme_with_a_month()
    web = Machine.objects.get(code="web-1")
    deaf = server("--ws", "none")
    page = open_page("/", olga, at=deaf.address, expect_errors=True)
    expect(page.locator("[data-word]")).to_have_text("Reconnecting", timeout=5_000)
    before = page.locator("[data-running]").inner_text()

    store(web, core_ms=3_600_000 * 5)

    expect(page.locator("[data-running]")).not_to_have_text(before, timeout=8_000)
    expect(page.locator('[data-machine="web-1"] [data-cpu]')).to_have_text("90 %", timeout=8_000)


def test_a_page_says_when_its_reader_is_signed_out(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/", olga, expect_errors=True)
    await_live(page)

    page.context.request.post(page.url + "sign-out/", headers=_csrf(page), form=_csrf_form(page))

    expect(page.locator("[data-word]")).to_have_text("Signed out", timeout=7_000)
    expect(page.get_by_role("link", name="Load the page again")).to_be_visible()


def _csrf(page: Page) -> dict[str, str]:
    return {"Referer": page.url}


def _csrf_form(page: Page) -> dict[str, str | float | bool]:
    return {"csrfmiddlewaretoken": page.locator("[name=csrfmiddlewaretoken]").first.input_value()}


def test_a_page_falls_silent_when_the_membership_ends(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/", olga, expect_errors=True)
    await_live(page)

    Membership.objects.filter(user=olga).delete()

    expect(page.locator("[data-word]")).to_have_text("No longer yours to see", timeout=7_000)


def test_a_machines_page_draws_its_own_points(open_page: Open) -> None:
    acme, olga, _ = acme_with_a_month()
    web = Machine.objects.get(code="web-1")
    page = open_page("/machines/web-1/", olga)
    await_live(page)

    push(acme, store(web, core_ms=1_000), {"machine": "late-1", "t": now_ms(), "cpu_percent": 33.0, "memory_percent": 1.0})
    expect(page.locator("[data-ago]").first).to_have_text(re.compile(r"^[0-3] s ago$"))

    values = points_of(page, "[data-machine-chart]").values()
    assert 90.0 in values
    assert 33.0 not in values


def test_two_people_watch_two_customers_and_see_only_their_own(open_page: Open) -> None:
    acme, olga, _ = acme_with_a_month()
    page = open_page("/", olga)
    await_live(page)
    other = User.objects.create_user("boris@bolt.example", "x")
    bolt = a_customer("bolt")
    Membership.objects.create(user=other, customer=bolt)
    theirs = a_machine(bolt, "bolt-1", cores=64, last_seen_ms=now_ms())
    second = open_page("/", other)
    await_live(second)

    push(bolt, store(theirs, core_ms=64_000))

    expect(second.locator("[data-busy]")).to_have_text("64.0", timeout=4_000)
    assert page.locator('[data-machine="bolt-1"]').count() == 0
    assert 64.0 not in points_of(page).values()
