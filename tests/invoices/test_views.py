"""The portal's pages about money: what they say adds up, and strangers find nothing."""

import html
import io
import re
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from pypdf import PdfReader

from accounts.models import Customer
from invoices import billing, payments
from invoices.models import Invoice
from invoices.spend import cost_by_day
from tests.cast import a_bucket, a_customer, a_machine, a_member, signed_in
from tests.invoices.rows import CPU, FEE, HOUR_MS, published, subscribed
from usage.models import Machine
from usage.periods import BUCKET_MS, Period, month_of, to_ms

pytestmark = pytest.mark.django_db
TIERED = {
    "name": "CPU",
    "model": "graduated",
    "meter": "cpu",
    "unit": "core-hour",
    "tiers": [{"up_to": "10", "unit_price": "0.042"}, {"unit_price": "0.038"}],
}


@pytest.fixture
def acme() -> Customer:
    """A customer with a fee of 9.00 and 0.04 a core-hour."""
    acme = a_customer(address="Speicherweg 14\n20457 Hamburg")
    subscribed(acme, published(FEE, CPU))
    return acme


@pytest.fixture
def client(acme: Customer) -> Client:
    return signed_in(a_member(acme))


def this_month(customer: Customer) -> Period:
    return month_of(now(), customer.zone)


def last_month(customer: Customer) -> Period:
    return month_of(this_month(customer).start - timedelta(days=1), customer.zone)


def used(machine: Machine, at: datetime, core_hours: int) -> None:
    a_bucket(machine, to_ms(at), cpu_ms=core_hours * HOUR_MS)


def an_invoice(customer: Customer, core_hours: int = 100) -> Invoice:
    """Last month's, final: 9.00 and 0.04 for each core-hour."""
    month = last_month(customer)
    machine = customer.machines.first() or a_machine(customer, f"{customer.code}-1")
    used(machine, month.start, core_hours)
    draft = billing.draft(customer, month)
    assert draft is not None
    return billing.finalise(draft)


def text_of(page: str) -> str:
    """What a reader sees: no tags, single blanks."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def test_the_overview_says_what_the_month_costs_and_what_drives_it(acme: Customer, client: Client) -> None:
    web, db = a_machine(acme, "web-1", cores=4), a_machine(acme, "db-1", cores=8)
    used(web, this_month(acme).start, 100)
    used(db, this_month(acme).start, 25)

    page = client.get("/").content.decode()

    assert '<data value="14.00" data-running data-total>€14.00</data>' in page
    assert "CPU 125.0 core‑h €5.00" in text_of(page)
    assert "Base fee €9.00" in text_of(page)
    assert "Month to date €14.00" in text_of(page)
    assert re.search(r"db-1.*€1\.00.*web-1.*€4\.00", text_of(page))


def test_the_days_add_up_to_the_month(acme: Customer, client: Client) -> None:
    web = a_machine(acme)
    month = this_month(acme)
    days = cost_by_day(acme).days
    used(web, month.start, 1)
    used(web, month.start + timedelta(minutes=15), 2)

    page = client.get("/").content.decode()

    chart = page[page.index('label="Spend by day"') : page.index("</usage-chart>")]
    amounts = [int(amount.replace(".", "")) for amount in re.findall(r'<data value="([\d.]+)">', chart)]
    assert len(amounts) == len(days)
    assert sum(amounts) == 12


def test_a_customer_without_machines_is_led_to_the_first_sample(acme: Customer, client: Client) -> None:
    page = client.get("/").content.decode()

    assert "/machines/new/" in page
    assert "<usage-chart" in page  # the fee alone makes a month
    assert "/machines/new/" in client.get("/machines/").content.decode()


def test_a_plan_without_a_price_is_said_and_not_priced_at_nothing() -> None:
    acme = a_customer()
    plan = published(CPU, since=datetime(2099, 1, 1, tzinfo=now().tzinfo))
    acme.subscriptions.create(plan=plan, start=this_month(acme).start)
    client = signed_in(a_member(acme))

    assert "A price of your plan is missing" in client.get("/").content.decode()
    assert client.get("/invoices/").status_code == 200
    assert client.get("/machines/").status_code == 200
    assert client.get("/invoices/preview/").status_code == 404
    assert client.get("/cost.json").status_code == 409


def test_the_running_cost_is_strings_and_the_invoice_so_far(acme: Customer, client: Client) -> None:
    used(a_machine(acme), this_month(acme).start, 101)

    cost = client.get("/cost.json?customer=acme").json()

    assert (cost["total"], cost["exact"], cost["currency"]) == ("13.04", "13.0400", "EUR")
    assert cost["text"]["total"] == "€13.04"
    assert [(line["name"], line["amount"]) for line in cost["lines"]] == [("Base fee", "€9.00"), ("CPU", "€4.04")]
    assert Client().get("/cost.json").status_code == 401


def test_the_list_shows_every_invoice_with_its_state(acme: Customer, client: Client) -> None:
    paid = an_invoice(acme)
    payments.record_payment(paid, paid.total_minor, "bank-1", date(2026, 11, 2))

    page = text_of(client.get("/invoices/").content.decode())

    assert f"{paid.number} Paid" in page
    assert "€13.00" in page
    assert "Nothing to pay" in page


def test_an_invoice_explains_every_line(acme: Customer, client: Client) -> None:
    web = a_machine(acme, "web-1", name="Web server")
    used(web, last_month(acme).start + timedelta(days=1), 20)

    invoice = an_invoice(acme, core_hours=80)
    page = client.get(f"/invoices/{invoice.number}/").content.decode()

    assert '<dd data-grand-total><data value="13.00">€13.00</data></dd>' in page
    assert "Speicherweg 14<br>20457 Hamburg" in page
    seen = text_of(page)
    assert "Plan, version 1, in force since 1 Jan 2020" in seen
    assert "all 100.000 €0.0400 €4.00" in seen
    assert "Web server 100.000" in seen
    assert "2 of 15 minutes each" in seen


def test_tiers_are_written_out() -> None:
    acme = a_customer()
    subscribed(acme, published(TIERED))
    invoice = an_invoice(acme, core_hours=25)

    page = text_of(signed_in(a_member(acme)).get(f"/invoices/{invoice.number}/").content.decode())

    assert "up to 10 10.000 €0.0420 €0.42" in page
    assert "above 10 15.000 €0.0380 €0.57" in page
    assert "€0.99 → €0.99" in page


def test_late_usage_is_explained_on_the_next_invoice(acme: Customer, client: Client) -> None:
    invoice = an_invoice(acme)
    used(a_machine(acme, "late-1"), last_month(acme).start + timedelta(days=2), 10)

    page = client.get("/invoices/preview/").content.decode()

    assert "samples that arrived after its invoice" in page
    assert f'href="/invoices/{invoice.number}/"' in page
    assert re.search(r"It comes to €4\.40 for this line; €4\.00 was billed before", text_of(page))


def test_pdf_and_csv_say_the_same_total(acme: Customer, client: Client) -> None:
    invoice = an_invoice(acme)

    pdf = client.get(f"/invoices/{invoice.number}.pdf")
    csv = client.get(f"/invoices/{invoice.number}.csv")

    printed = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert pdf.headers["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'
    assert str(invoice.number) in printed
    assert "13.00" in printed
    assert "Total,,,,,,,13.00,EUR" in csv.content.decode()


def test_an_invoice_keeps_the_name_that_was_printed(acme: Customer, client: Client) -> None:
    invoice = an_invoice(acme)
    Customer.objects.update(name="Renamed Ltd", locale="de-DE", timezone="UTC")

    page = client.get(f"/invoices/{invoice.number}/").content.decode()

    assert "<address>Acme<br>" in page
    assert "€13.00" in page
    assert "Europe/Berlin" in page


def test_a_void_invoice_says_why(acme: Customer, client: Client) -> None:
    invoice = an_invoice(acme)
    billing.void(invoice, "Wrong address")

    page = text_of(client.get(f"/invoices/{invoice.number}/").content.decode())

    assert "Void · Wrong address" in page
    assert "Please pay" not in page


def test_a_draft_is_shown_as_one(acme: Customer, client: Client) -> None:
    used(a_machine(acme), last_month(acme).start, 100)
    draft = billing.draft(acme, last_month(acme))
    assert draft is not None

    page = client.get(f"/invoices/drafts/{draft.pk}/").content.decode()

    assert "late samples may still change it" in page
    assert "data-grand-total" in page
    assert ".pdf" not in page


@pytest.mark.parametrize("path", ["/invoices/{number}/", "/invoices/{number}.pdf", "/invoices/{number}.csv", "/machines/acme-1/"])
def test_a_stranger_finds_nothing_and_is_not_told_that_it_exists(acme: Customer, client: Client, path: str) -> None:
    address = path.format(number=an_invoice(acme).number)
    stranger = signed_in(a_member(a_customer("bolt"), email="boris@bolt.example"))

    assert client.get(address).status_code == 200
    assert stranger.get(address).status_code == 404
    assert stranger.get(address.replace("CH-", "XX-").replace("acme-1", "acme-2")).status_code == 404


def test_a_draft_of_another_customer_is_not_there(acme: Customer) -> None:
    used(a_machine(acme), last_month(acme).start, 100)
    draft = billing.draft(acme, last_month(acme))
    assert draft is not None
    stranger = signed_in(a_member(a_customer("bolt"), email="boris@bolt.example"))

    assert stranger.get(f"/invoices/drafts/{draft.pk}/").status_code == 404


def test_a_link_turns_the_page_to_the_customer_it_speaks_of(acme: Customer) -> None:
    invoice = an_invoice(acme)
    aardvark = a_customer("aardvark")
    both = signed_in(a_member(acme, aardvark))

    page = both.get(f"/invoices/{invoice.number}/").content.decode()

    assert '<p class="account">Acme</p>' in page


def test_the_plan_is_said_in_plain_words() -> None:
    acme = a_customer()
    subscribed(acme, published(FEE, TIERED))
    published(FEE, {**CPU, "included": "5"}, since=now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=9))

    page = text_of(signed_in(a_member(acme)).get("/plan/").content.decode())

    assert "Base fee A fixed fee, by days where the plan holds for a part of the month €9.00 a month" in page
    assert "Each part of a month’s usage at the price of its tier" in page
    assert "Up to 10 core‑h €0.0420" in page
    assert "Above 10 core‑h €0.0380" in page


def test_without_a_plan_nothing_is_charged_and_the_page_says_so() -> None:
    client = signed_in(a_member(a_customer()))

    assert "No plan applies to you" in client.get("/plan/").content.decode()
    assert "€0.00" in client.get("/").content.decode()


def test_a_machines_page_is_about_one_machine(acme: Customer, client: Client) -> None:
    web, db = a_machine(acme, "web-1", cores=4, memory_mib=8192), a_machine(acme, "db-1")
    used(web, this_month(acme).start, 10)
    used(db, this_month(acme).start, 90)

    page = text_of(client.get("/machines/web-1/").content.decode())

    assert "4 cores, 8.0 GiB of memory" in page
    assert "€0.40" in page
    assert "€3.60" not in page
    assert "db-1" not in page


@pytest.mark.parametrize(("path", "limit"), [("/", 33), ("/machines/", 28), ("/invoices/", 26)])
def test_lists_cost_the_same_for_one_row_and_for_twenty(acme: Customer, client: Client, path: str, limit: int) -> None:
    an_invoice(acme)
    used(acme.machines.get(), this_month(acme).start, 1)
    acme.machines.update(last_seen_ms=to_ms(now()))  # Of machines that are silent no newest point is looked for.
    with CaptureQueriesContext(connection) as for_one:
        client.get(path)

    for number in range(19):
        machine = a_machine(acme, f"more-{number}", last_seen_ms=to_ms(now()))
        a_bucket(machine, this_month(acme).start_ms)
        a_bucket(machine, this_month(acme).start_ms + BUCKET_MS)
    with CaptureQueriesContext(connection) as for_twenty:
        client.get(path)

    assert len(for_one) == len(for_twenty) <= limit


def test_many_machines_come_a_hundred_at_a_time_and_can_be_searched(acme: Customer, client: Client) -> None:
    Machine.objects.bulk_create(Machine(customer=acme, code=f"m-{number:03}", name=f"Box {number}") for number in range(130))

    first = client.get("/machines/").content.decode()
    second = client.get("/machines/?page=2").content.decode()
    found = client.get("/machines/?q=box 129").content.decode()
    nothing = client.get("/machines/?q=nowhere").content.decode()
    overview = client.get("/").content.decode()

    assert (first.count("data-machine="), second.count("data-machine="), overview.count("data-machine=")) == (100, 30, 12)
    assert "1 to 100 of 130" in first
    assert found.count("data-machine=") == 1
    assert "No machine is called that." in nothing
    assert "All 130 machines" in overview


def test_the_months_invoiced_are_a_picture_with_its_table_once_there_are_two(acme: Customer, client: Client) -> None:
    before = month_of(last_month(acme).start - timedelta(days=1), acme.zone)
    used(a_machine(acme, "acme-1"), before.start, 50)
    draft = billing.draft(acme, before)
    assert draft is not None
    billing.finalise(draft)
    alone = client.get("/invoices/").content.decode()
    newest = an_invoice(acme)
    payments.record_payment(newest, newest.total_minor, "bank-1", date(2026, 11, 2))

    page = client.get("/invoices/").content.decode()

    assert "Invoiced by month" not in alone
    rows = re.findall(r"<tr>(.*?)</tr>", page.split('label="Invoiced by month"')[1].split("</table>")[0], re.DOTALL)
    assert [re.findall(r'value="([\d.]+)"', row) for row in rows[1:]] == [["0.00", "11.00", "11.00"], ["13.00", "0.00", "13.00"]]
