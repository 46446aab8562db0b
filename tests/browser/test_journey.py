"""The way of a customer: sign in, watch real usage arrive through Kafka, open last month's invoice, check it twice."""

import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import global_settings
from playwright.sync_api import Page, expect
from pypdf import PdfReader
from pytest_django import Settings

from tests.browser.conftest import Open, Server
from tests.browser.people import acme_with_a_month
from tests.browser.test_live import await_live, points_of
from tests.cast import PASSWORD, a_customer, a_machine, a_member
from tests.processes import manage, program, running


@pytest.fixture
def _real_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS  # The web server is another process.


def running_cost(page: Page) -> Decimal:
    """The running cost with its digits below the cent."""
    text = page.locator("[data-exact]").inner_text()
    return Decimal(re.sub(r"[^\d.]", "", text))


@pytest.mark.kafka
@pytest.mark.usefixtures("_real_passwords")
def test_a_customer_watches_the_month_and_checks_the_bill(
    open_page: Open, server: Callable[..., Server], kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    acme, _, invoice = acme_with_a_month()
    a_machine(acme, "this-host")
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "USAGE_TOPIC": topic, "KAFKA_GROUP": f"group-{topic}"}
    portal = server(**kafka)
    agent = kafka | {"COREHOUR_AGENT_STATE_DIR": str(tmp_path / "agent")}
    page = open_page("/sign-in/", at=portal.address)

    # Sign in, and see nothing of this machine yet.
    page.get_by_label("E-mail").fill("olga@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await_live(page)
    row = page.locator('[data-machine="this-host"]')
    expect(row.locator("td [data-state]")).to_have_text("No sample yet")
    cost_before, points_before = running_cost(page), len(points_of(page))

    # The agent measures this machine; its samples go through Kafka and the worker.
    with (
        running(manage("consume_usage", REDIS_URL=portal.env["REDIS_URL"], **kafka)),
        running(program("-m", "agent", "run", "--machine", "this-host", "--interval", "1", **agent)),
    ):
        expect(row.locator("td [data-state]")).to_have_text("Reporting", timeout=40_000)
        expect(row.locator("[data-cpu]")).to_have_text(re.compile(r"^\d+ %$"))
        expect.set_options(timeout=20_000)
        expect(page.locator("[data-exact]")).not_to_have_text(re.compile(re.escape(f"{cost_before:.4f}")))
    page.wait_for_timeout(2_500)
    assert running_cost(page) > cost_before
    assert len(points_of(page)) > points_before

    # Last month's invoice: on the page, in the API and on paper.
    page.get_by_role("link", name="Invoices").click()
    page.get_by_role("link", name=str(invoice.number), exact=True).last.click()
    total = page.locator("[data-grand-total] data").get_attribute("value")
    listed = page.request.get(f"{portal.address}/api/v1/invoices/?customer=acme").json()["results"]
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    printed = "".join(sheet.extract_text() for sheet in PdfReader(download.value.path()).pages)

    assert total == f"{invoice.total_minor // 100}.{invoice.total_minor % 100:02}"
    assert [(one["number"], one["total"]["amount"]) for one in listed] == [(invoice.number, total)]
    assert str(invoice.number) in printed
    assert total in printed.replace(",", "")


@pytest.mark.usefixtures("_real_passwords")
def test_the_whole_way_goes_by_keyboard(open_page: Open) -> None:
    _, _, invoice = acme_with_a_month()
    page = open_page("/sign-in/")

    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type("olga@acme.example")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    _tab_to(page, "Invoices")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Invoices", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past the navigation
    expect(page.locator("#main")).to_be_focused()
    _tab_to(page, str(invoice.number))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Invoice {invoice.number}")).to_be_visible()
    page.locator("#main").focus()
    _tab_to(page, "CPU")
    page.keyboard.press("Enter")

    expect(page.locator("details.line[open] .line-name")).to_have_text("CPU")
    expect(page.get_by_text("above 10", exact=True)).to_be_visible()


def _tab_to(page: Page, words: str) -> None:
    """Press Tab until the control that has the focus says these words. A region that can have it says what all in it says."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if words in page.evaluate("document.activeElement.matches('a, button, summary') ? document.activeElement.innerText : ''"):
            return
    raise AssertionError(f"No way to {words!r} by keyboard")


def test_the_chart_is_read_by_keyboard(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/", olga)
    chart = page.locator('usage-chart[label="Spend by day"]')
    chart.locator("canvas").focus()

    page.keyboard.press("Home")
    first = chart.locator("[aria-live]").inner_text()
    page.keyboard.press("ArrowRight")
    second = chart.locator("[aria-live]").inner_text()

    assert "1 Nov" in first or "Nov 1" in first or "total" in first
    assert first != second


def test_the_explorer_follows_its_controls_and_its_address(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/usage/", olga)

    page.get_by_label("Range").select_option("last-month")
    page.wait_for_url("**range=last-month**")
    page.get_by_role("radio", name="Hour").check()
    page.wait_for_url("**step=hour**")
    page.get_by_label("Measure").select_option("memory")
    page.wait_for_url("**measure=memory**")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    page.get_by_role("button", name="Table").click()

    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "start,end,web-1 [GiB-hour],late-1 [GiB-hour],Silent one [GiB-hour],Total [GiB-hour]"
    assert lines[1].endswith(",8.000,4.000,2.000,14.000")
    expect(page.get_by_role("region", name="Memory, by: Machine, Hour, table").get_by_text("14.000").first).to_be_visible()
    page.get_by_label("Compare with the period before").check()
    page.wait_for_url("**compare=previous**")
    expect(page.locator(".chart-legend")).to_contain_text("Period before")
    page.get_by_role("radio", name="Heat map").check()
    page.wait_for_url("**picture=heat**")
    expect(page.get_by_role("img", name="Memory by local hour of each day; the busiest hour began on 1 ")).to_be_visible()
    page.get_by_role("radio", name="Stacked").check()
    page.wait_for_url("**picture=stack**")
    page.get_by_label("Range").select_option("custom")
    expect(page.get_by_label("First day")).to_be_visible()
    page.get_by_label("First day").fill("2026-10-01")
    page.get_by_label("Last day").fill("2026-10-01")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**first=2026-10-01&last=2026-10-01**")


@pytest.mark.kafka
def test_from_nothing_to_a_first_sample_in_two_minutes(
    open_page: Open, server: Callable[..., Server], kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    olga = a_member(a_customer())
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap, "USAGE_TOPIC": topic, "KAFKA_GROUP": f"group-{topic}"}
    portal = server(**kafka)
    page = open_page("/", olga, at=portal.address)
    with running(manage("consume_usage", REDIS_URL=portal.env["REDIS_URL"], **kafka)):
        began = time.monotonic()
        page.get_by_role("link", name="Add a machine").click()
        page.get_by_label("Id, for good").fill("web-1")
        page.get_by_role("button", name="Add and show the command").click()
        command = page.locator("#first-run").inner_text()
        enrol, run = (part.split()[1:] for part in command.split(" && "))
        agent = {"COREHOUR_AGENT_STATE_DIR": str(tmp_path / "agent"), "USAGE_TOPIC": topic}
        assert program("-m", "agent", *enrol, **agent).wait(timeout=60) == 0
        with running(program("-m", "agent", *run, "--interval", "1", **agent)):
            expect(page.locator("[data-state]")).to_have_text("Reporting", timeout=60_000)

    assert time.monotonic() - began < 120
    assert points_of(page, "[data-machine-chart]")


def test_the_chosen_scheme_stays(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/plan/", olga)

    page.get_by_label("Colour scheme").select_option("dark")
    page.get_by_role("link", name="Invoices").click()

    expect(page.get_by_role("heading", name="Invoices", exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_label("Colour scheme")).to_have_value("dark")


def test_the_account_menu_signs_out(open_page: Open) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/", olga, width=360)

    page.get_by_role("button", name="Account").click()
    expect(page.get_by_text("olga@acme.example")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_invoice_prints_with_every_line_explained(open_page: Open, tmp_path: Path) -> None:
    _, olga, invoice = acme_with_a_month()
    page = open_page(f"/invoices/{invoice.number}/", olga)

    page.pdf(path=tmp_path / "printed.pdf")

    printed = "".join(sheet.extract_text() for sheet in PdfReader(tmp_path / "printed.pdf").pages)
    assert "above 10" in printed
    assert "Overview" not in printed
