"""What happens while a page is open is told on it, counted beside "Notices", and gone once it was seen."""

from playwright.sync_api import expect

from accounts import notices
from accounts.models import Notice
from tests.browser.conftest import Open
from tests.browser.test_pages import judge
from tests.cast import a_customer, a_member

INVOICE = {"number": "CH-2026-0001", "total": "13.00", "currency": "EUR"}


def test_a_notice_pops_up_once_is_counted_and_leads_on(open_page: Open) -> None:
    acme = a_customer()
    olga = a_member(acme)
    notices.tell(acme, Notice.Kind.INVOICE, {"invoice:1": INVOICE}, by_mail=False)

    page = open_page("/plan/", olga, width=360)
    toast = page.get_by_role("status").get_by_role("link", name="Invoice CH-2026-0001 is final")
    expect(toast).to_be_visible()
    assert judge(page, "a page with a toast", None) == []
    page.set_viewport_size({"width": 360, "height": 900})
    page.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    page.reload()
    expect(page.locator("[data-notices] .badge")).to_have_text("1 new")
    expect(toast).to_have_count(0)

    page.get_by_role("link", name="Notices").click()
    expect(page.get_by_role("heading", name="Invoice CH-2026-0001 is final")).to_be_visible()
    assert judge(page, "notices", None) == []
    page.goto(page.url.replace("/notices/", "/plan/"))
    expect(page.locator("[data-notices] .badge")).to_be_hidden()
