"""Scripts in every text that somebody may type: a real browser shows all pages and runs none of them.

What a content policy had to stop counts too: `open_page` collects the browser's complaint and fails the test.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from urllib.parse import quote

from django.utils.timezone import now
from playwright.sync_api import Dialog, Page

from accounts import outbox, people, webhooks
from accounts.models import Customer, User
from accounts.scopes import READING
from invoices import billing
from invoices.models import Invoice
from tests.browser.conftest import Open
from tests.browser.people import MEMORY, now_ms, samples
from tests.browser.places import PAGES
from tests.cast import a_bucket, a_customer, a_machine, a_member, an_operator
from tests.invoices.rows import FEE, published, subscribed
from usage.models import Reason, RejectedMessage
from usage.periods import bucket_start, month_of

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'><svg onload=alert(3)>",
    "</script><script>alert(4)</script>",
    "</textarea></title></style><script>alert(5)</script>",
    "javascript:alert(6)",
    "' onmouseover='alert(7)' x='",
    '" autofocus onfocus=alert(8) x="',
    "{{constructor.constructor('alert(9)')()}}",
    "${alert(10)}`+alert(11)+`",
    "';alert(12)//\\';alert(13)//",
    "<a href=javascript:alert(14)>x</a>",
    "<iframe srcdoc='<script>alert(15)</script>'>",
    "&lt;script&gt;alert(16)&lt;/script&gt;",
    "<!--><script>alert(17)</script>-->",
    "\u2028alert(18)\u2029<details open ontoggle=alert(19)>",
)
ADMIN = (
    "/admin/",
    "/admin/accounts/user/",
    "/admin/accounts/customer/",
    "/admin/accounts/customer/{customer}/change/",
    "/admin/accounts/apikey/",
    "/admin/accounts/webhookendpoint/",
    "/admin/accounts/webhookdelivery/",
    "/admin/accounts/auditentry/",
    "/admin/usage/machine/",
    "/admin/usage/machine/{machine}/change/",
    "/admin/usage/rejectedmessage/",
    "/admin/usage/rejectedmessage/{refused}/change/",
    "/admin/invoices/invoice/",
    "/admin/invoices/invoice/{invoice}/change/",
    "/admin/invoices/rateplan/",
    "/admin/invoices/subscription/",
)
TOLD = ("/sign-in/?next={}", "/usage/?group={}", "/usage/?range={}", "/machines/?q={}", "/confirm/?next={}", "/?customer={}")
PLANTED = "img[src=x], svg[onload], iframe[srcdoc], [onerror], [onmouseover], [onfocus], [ontoggle], a[href^='javascript']"


def _texts() -> Iterator[str]:
    yield from cycle(PAYLOADS)


def _infested() -> tuple[Customer, User, Invoice]:
    """A customer whose every text is a script."""
    text = _texts()
    acme = a_customer(name=next(text), address=f"{next(text)}\n{next(text)}", tax_id=next(text)[:40])
    olga = a_member(acme, name=next(text))
    plan = published({**FEE, "name": next(text)}, {**MEMORY, "name": next(text)})
    type(plan).objects.update(name=next(text))
    subscribed(acme, plan)
    running = month_of(now(), acme.zone)
    before = month_of(running.start - timedelta(days=1), acme.zone)
    for number, payload in enumerate(PAYLOADS):
        machine = a_machine(acme, f"web-{number + 1}", name=payload, machine_class=payload[:40], last_seen_ms=now_ms())
        a_bucket(machine, before.start_ms)
        a_bucket(machine, bucket_start(max(running.start_ms, now_ms() - 1_800_000)))
        people.issue_key(acme, payload, READING)
    samples(acme.machines.get(code="web-1"), now_ms())
    endpoint, _ = webhooks.add(acme, "https://hooks.acme.example/?x=<script>alert(20)</script>", ["invoice.paid"], next(text))
    outbox.send_test(endpoint)
    _refused(acme)
    draft = billing.draft(acme, before)
    assert draft is not None
    return acme, olga, billing.finalise(draft)


def _refused(acme: Customer) -> None:
    for number, payload in enumerate(PAYLOADS):
        RejectedMessage.objects.create(
            topic="resource_usage", topic_id="t", partition=0, offset=number, timestamp_ms=now_ms(), key=payload.encode(),
            value=payload.encode(), reason=Reason.NOT_JSON, machine_code=payload[:63], detail=payload,
        )  # fmt: skip


def _watched(page: Page) -> list[str]:
    """The texts of all alerts of a page, from now on."""
    heard: list[str] = []

    def hear(dialog: Dialog) -> None:
        heard.append(f"{page.url}: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", hear)
    return heard


def test_no_text_becomes_a_script_on_the_portal(open_page: Open, address: str) -> None:
    acme, olga, invoice = _infested()
    page = open_page("/settings/", olga)
    heard = _watched(page)

    for path in (*PAGES, f"/invoices/{invoice.number}/", f"/settings/webhooks/{acme.webhooks.get().pk}/"):
        page.goto(f"{address}{path}")
        page.wait_for_load_state("networkidle")
        assert page.locator(PLANTED).count() == 0, path

    assert heard == []


def test_no_text_becomes_a_script_in_the_admin(open_page: Open, address: str) -> None:
    acme, _, invoice = _infested()
    page = open_page("/admin/", an_operator())
    heard = _watched(page)
    rows = {"customer": acme.pk, "machine": acme.machines.order_by("pk")[0].pk, "invoice": invoice.pk}
    rows["refused"] = RejectedMessage.objects.order_by("pk")[1].pk

    for path in ADMIN:
        page.goto(f"{address}{path.format(**rows)}")
        page.wait_for_load_state("networkidle")
        assert page.locator(PLANTED).count() == 0, path

    assert heard == []


def test_no_address_becomes_a_script(open_page: Open, address: str) -> None:
    page = open_page("/settings/", a_member(a_customer()), expect_errors=True)
    heard = _watched(page)

    for place in TOLD:
        for payload in PAYLOADS[:6]:
            page.goto(f"{address}{place.format(quote(payload))}", wait_until="domcontentloaded")
            assert page.locator(PLANTED).count() == 0, payload

    assert heard == []
