"""The document of an invoice: says what the invoice says, in any currency and language, with any name, always the same bytes."""

import csv
import io

import pypdf
import pytest

from accounts.models import Customer
from invoices import billing, documents
from invoices.models import Invoice
from tests.cast import a_customer, a_machine
from tests.invoices.rows import CPU, HOUR_MS, OCTOBER, published, subscribed, used, utc
from usage.models import Machine

pytestmark = pytest.mark.django_db
NASTY = '=1+1 #strong[x] *bold* _it_ $x^2$ \\ "q" <label> @ref // [a] `raw` ٣ Zoë'


def final(customer: Customer) -> Invoice:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    return billing.finalise(draft, utc(2026, 11, 2))


def words(document: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(document)).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


@pytest.fixture
def invoice(customer: Customer, machine: Machine) -> Invoice:
    used(machine, OCTOBER.start, cpu_ms=34_802 * HOUR_MS, net_tx=150 * 10**9)
    return final(customer)


def test_the_document_says_what_the_invoice_says(invoice: Invoice) -> None:
    text = words(documents.pdf(invoice))

    for said in (
        "Invoice CH-2026-0001",
        "Tideline Cartography Speicherweg 14 20457 Hamburg",
        "Period October 2026",
        "Europe/Berlin, 745 hours",
        "34,802.000 core-hour €1,392.08",
        "Total €1,401.58",
        "Please pay by 16 November 2026, quoting CH-2026-0001.",
        "How each line came about",
        "0 to 100 100.000 €0.00 €0.00",
        "above 100 50.000 €0.01 €0.50",
        "web-1",
    ):
        assert said in text


def test_the_same_invoice_gives_the_same_bytes(invoice: Invoice) -> None:
    first = documents.pdf(invoice)

    Customer.objects.update(name="Renamed", locale="ja-JP")

    assert documents.pdf(Invoice.objects.get()) == first
    assert first[:5] == b"%PDF-"


def test_no_text_is_read_as_markup(customer: Customer) -> None:
    customer.name = customer.address = NASTY
    customer.save()

    text = words(documents.pdf(final(customer)))

    assert '=1+1 #strong[x] *bold* _it_ $x^2$ \\ "q" <label> @ref // [a] `raw`' in text
    assert "Zoë" in text


def test_a_name_that_the_font_cannot_set_still_gets_an_invoice(customer: Customer) -> None:
    customer.name = "株式会社 Tideline"
    customer.save()

    document = documents.pdf(final(customer))

    assert "Tideline" in words(document)


def test_a_draft_and_a_void_invoice_say_so(customer: Customer) -> None:
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None

    drafted = words(documents.pdf(draft))
    invoice = billing.finalise(draft, utc(2026, 11, 2))
    billing.void(invoice, "Wrong address")

    assert "Draft. Not an invoice: amounts may still change." in drafted
    assert "Void. Nothing is to be paid." in words(documents.pdf(Invoice.objects.get()))


@pytest.mark.parametrize(
    ("currency", "locale", "total"),
    [
        ("JPY", "ja-JP", "¥1,234"),
        ("KWD", "en-GB", "1,234.000"),
        ("EUR", "de-DE", "1.234,00 €"),
        ("CHF", "xx-nonsense", "CHF 1,234.00"),
    ],
)
def test_currency_and_locale_decide_how_money_is_written(currency: str, locale: str, total: str) -> None:
    customer = a_customer(currency=currency, locale=locale)
    subscribed(customer, published({**CPU, "unit_price": "1"}, currency=currency))
    used(a_machine(customer), OCTOBER.start, cpu_ms=1234 * HOUR_MS)

    text = words(documents.pdf(final(customer)))

    assert total in text.replace("\xa0", " ")


def test_a_hundred_machines_run_over_pages(customer: Customer) -> None:
    for number in range(100):
        used(a_machine(customer, f"m-{number:03}"), OCTOBER.start, cpu_ms=HOUR_MS)

    document = documents.pdf(final(customer))

    assert len(pypdf.PdfReader(io.BytesIO(document)).pages) >= 3
    assert "m-099" in words(document)


def test_the_csv_has_plain_decimals_and_no_formula(customer: Customer, machine: Machine) -> None:
    subscribed(customer, published({**CPU, "name": "=cmd|' /C calc'!A0", "unit_price": "0.01"}, code="other"))
    used(machine, OCTOBER.start, cpu_ms=34_802 * HOUR_MS)
    draft = billing.draft(customer, OCTOBER)
    assert draft is not None
    billing.release(draft, "Both plans are meant")
    invoice = final(customer)

    rows = list(csv.DictReader(io.StringIO(documents.csv_text(invoice))))

    assert [(row["line"], row["quantity"], row["unit"], row["amount"]) for row in rows] == [
        ("'=cmd|' /C calc'!A0", "34802.000", "core-hour", "348.02"),
        ("Base fee", "1", "month", "9.00"),
        ("CPU", "34802.000", "core-hour", "1392.08"),
        ("Subtotal", "", "", "1749.10"),
        ("Tax", "", "", "0.00"),
        ("Total", "", "", "1749.10"),
    ]
