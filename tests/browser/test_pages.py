"""Every page as people see it: light and dark, phone and desk; accessible, without overflow, without complaints."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.conftest import Open, Server
from tests.browser.people import acme_with_a_month
from tests.cast import a_customer, a_member
from tests.processes import manage

PAGES = (
    "/",
    "/usage/",
    "/usage/?group=meter",
    "/usage/?range=last-month&step=hour",
    "/machines/",
    "/machines/web-1/",
    "/invoices/",
    "/invoices/preview/",
    "/plan/",
)
GRAVE = ("serious", "critical")
VIEWS = ((1440, "light"), (360, "dark"))


def judge(page: Page, name: str, screens: Path | None) -> list[str]:
    """Return what is wrong with a page as it stands."""
    page.wait_for_load_state("networkidle")
    problems = []
    if page.locator("details.line").count():
        page.evaluate("for (const line of document.querySelectorAll('details')) line.open = true")
    if screens:
        page.screenshot(path=screens / f"{name}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    problems += [f"{name}: {one['id']} {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in GRAVE]
    return problems + [f"{name}: wider than {width} px" for width in (360, 768, 1440) if _overflows(page, width)]


def _overflows(page: Page, width: int) -> bool:
    page.set_viewport_size({"width": width, "height": 900})
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def problems_of(open_page: Open, screens: Path | None, path: str, user: User | None) -> list[str]:
    problems = []
    for width, scheme in VIEWS:
        page = open_page(path, user, width=width, scheme=scheme)
        name = f"{path.strip('/').replace('/', '-').replace('?', '-').replace('&', '-') or 'overview'}-{width}-{scheme}"
        problems += judge(page, name, screens)
        page.context.close()
    return problems


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_sound_at_every_width_and_in_both_schemes(open_page: Open, screens: Path | None, path: str) -> None:
    _, olga, _ = acme_with_a_month()

    assert problems_of(open_page, screens, path, olga) == []


def test_an_invoice_with_every_line_open_is_sound(open_page: Open, screens: Path | None) -> None:
    _, olga, invoice = acme_with_a_month()

    assert problems_of(open_page, screens, f"/invoices/{invoice.number}/", olga) == []


def test_the_door_is_sound(open_page: Open, screens: Path | None) -> None:
    assert problems_of(open_page, screens, "/sign-in/", None) == []


@pytest.mark.parametrize("path", ["/", "/machines/", "/usage/", "/invoices/", "/plan/"])
def test_pages_of_a_new_customer_are_sound(open_page: Open, screens: Path | None, path: str) -> None:
    olga = a_member(a_customer())

    assert problems_of(open_page, screens, path, olga) == []


def test_the_page_of_someone_without_a_customer_is_sound(open_page: Open, screens: Path | None) -> None:
    assert problems_of(open_page, screens, "/", a_member(email="new@acme.example")) == []


def test_hashed_files_and_their_imports_work_as_in_production(
    open_page: Open, server: Callable[..., Server], tmp_path: Path
) -> None:
    acme_with_a_month()
    olga = User.objects.get()
    collecting = manage("collectstatic", "--no-input", "-v0", COREHOUR_DATA_DIR=str(tmp_path))
    assert collecting.wait(timeout=120) == 0
    production = server(COREHOUR_DATA_DIR=str(tmp_path), DEBUG="0")

    page = open_page("/", olga, at=production.address)
    expect(page.locator("[data-word]")).to_have_text("Live")
    missing = open_page("/no-such-page/", olga, at=production.address, expect_errors=True)

    assert page.evaluate("document.querySelector('[data-fleet-chart]').lastDrawMs > 0")
    assert "." in page.evaluate("document.querySelector('script[src*=\"live\"]').src.split('/').pop().replace('.js', '')")
    assert missing.get_by_role("heading", name="There is no such page").is_visible()


@pytest.mark.parametrize("width", [1440, 360])
def test_the_overview_is_light_and_nothing_in_it_jumps(open_page: Open, width: int) -> None:
    _, olga, _ = acme_with_a_month()
    page = open_page("/", olga, width=width)
    expect(page.locator("[data-word]")).to_have_text("Live")

    shifts = page.evaluate(
        """() => new Promise((done) => {
            const seen = [];
            const note = (list) => list.getEntries().forEach((shift) =>
                seen.push([shift.value, ...shift.sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.nodeName)]));
            new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
            setTimeout(() => done(seen), 1500);
        })"""
    )
    weight = page.evaluate(
        """[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
            .reduce((sum, e) => sum + e.transferSize, 0)"""
    )

    assert sum(shift[0] for shift in shifts) < 0.02, shifts
    assert weight < 250_000  # uncompressed, as the development server sends it
