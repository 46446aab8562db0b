"""Documents and mail speak the customer's language, whoever makes them."""

import io

import pypdf
import pytest
from django.core import mail as outbox
from django.utils import translation

from accounts.models import Customer
from invoices import billing, documents, tasks
from invoices.issued import Invoice
from tests.cast import a_member
from tests.invoices.rows import HOUR_MS, OCTOBER, used, utc
from usage.models import Machine

pytestmark = pytest.mark.django_db


def bill(customer: Customer, machine: Machine, locale: str, **fields: str) -> Invoice:
    for name, value in {"locale": locale, **fields}.items():
        setattr(customer, name, value)
    customer.save()
    customer.subscriptions.update(start=OCTOBER.start)
    a_member(customer, email="owner@tideline.example")
    used(machine, OCTOBER.start, cpu_ms=100 * HOUR_MS)
    return billing.close(customer, utc(2026, 11, 3))[0]


def words(document: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(document)).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        (
            "de-DE",
            ("Rechnung CH-2026-0001", "Zeitraum Oktober 2026", "Bitte zahlen Sie bis 17. November 2026", "100,000 Kernstunde"),
        ),
        ("fr-FR", ("Facture CH-2026-0001", "Période octobre 2026", "Merci de payer avant le 17 novembre 2026", "cœur-heure")),
        ("es-ES", ("Factura CH-2026-0001", "Período octubre de 2026", "Pague antes del 17 de noviembre de 2026", "núcleo-hora")),
        (
            "ja-JP",
            (
                "請求書 CH-2026-0001",
                "支払期限",
                "までに、番号 CH-2026-0001",
                "コア時間",
            ),
        ),
        ("pt-BR", ("Invoice CH-2026-0001", "Period October 2026", "Please pay by 17 November 2026")),
    ],
)
def test_a_document_speaks_the_customers_language(
    customer: Customer, machine: Machine, locale: str, said: tuple[str, ...]
) -> None:
    invoice = bill(customer, machine, locale)

    with translation.override("de"):
        text = words(documents.pdf(invoice))

    assert [one for one in said if one not in text] == []


def test_a_japanese_name_is_set_and_the_document_stays_an_archive(customer: Customer, machine: Machine) -> None:
    document = documents.pdf(bill(customer, machine, "ja-JP", name="株式会社タイドライン", address="東京都千代田区丸の内一丁目"))

    assert "株式会社タイドライン" in words(document)
    assert b"pdfaid:part" in document


def test_a_mail_speaks_the_customers_language(customer: Customer, machine: Machine) -> None:
    bill(customer, machine, "de-AT")

    tasks.send_waiting_mail()

    message = outbox.outbox[0]
    assert message.subject == "Rechnung CH-2026-0001 von Corehour Systems: € 13,00"
    assert "Bitte zahlen Sie bis 17. November 2026." in message.body
    assert "Zeitraum: 1.–31. Okt. 2026" in message.body
