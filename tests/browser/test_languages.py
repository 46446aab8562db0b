"""German words are longer, and other scripts run the other way: no page may break of either."""

from urllib.parse import urljoin

from tests.browser.conftest import Open
from tests.browser.people import acme_with_a_month
from tests.browser.places import PAGES
from tests.cast import a_machine

OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def test_no_page_overflows_in_german_or_from_right_to_left(open_page: Open) -> None:
    acme, olga, invoice = acme_with_a_month()
    a_machine(acme, "spare-frankfurt-1")  # Of which is said at length that it has not sent anything yet.
    olga.language = "de"
    olga.save()
    page = open_page("/", olga, width=360)
    broken = []

    for path in (*PAGES, f"/invoices/{invoice.number}/"):
        page.goto(urljoin(page.url, path))
        assert page.evaluate("document.documentElement.lang").startswith("de")
        broken += [f"{path} in German"] * bool(page.evaluate(OVERFLOWS))
        page.evaluate("document.documentElement.dir = 'rtl'")
        broken += [f"{path} from right to left"] * bool(page.evaluate(OVERFLOWS))

    assert broken == []
