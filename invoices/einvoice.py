"""What a European electronic invoice (EN 16931) says, from an invoice's or a credit note's own rows, before it is XML.

Its lines carry no tax: where prices include it, it is taken out in proportion. A line is one piece at its amount, because
tiers have no one unit price; the quantity is in its description.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from invoices.books import CreditNote
from invoices.issued import Invoice, InvoiceLine
from invoices.money import amount_text, decimal_text, places_of, round_half_away, spread

INVOICE, CREDIT_NOTE = "380", "381"
SPECIFICATION = "urn:cen.eu:en16931:2017"
POST_CODE_FIRST = frozenset("AT BE CH CZ DE DK EE ES FI FR GR HR IT LI LT LU MC NL NO PL PT SE SI SK".split())
TOWN = re.compile(r"(?:[A-Z]{1,2}-)?(?P<code>\d{4} [A-Z]{2}|\d{4,5}|\d{3} \d{2}|\d{2}-\d{3}|\d{4}-\d{3})\s+(?P<town>\D.*)")
NOT_TAXED: dict[str, Any] = {"name": "", "category": "O", "rate_micro": 0, "reason": "Not subject to VAT."}


class EInvoiceError(ValueError):
    """Why this invoice cannot be said in EN 16931, as a sentence."""


@dataclass(frozen=True, slots=True)
class Party:
    """The seller or the buyer."""

    name: str
    address: tuple[str, ...]
    country: str
    tax_id: str
    email: str = ""
    post_code: str = ""
    city: str = ""

    @property
    def vat_id(self) -> str:
        """The tax id where it begins with the country, as a VAT id does (Greece writes EL)."""
        prefix = "EL" if self.country == "GR" else self.country
        return self.tax_id if self.tax_id.startswith(prefix) else ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom the buyer asks."""

    name: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True)
class ELine:
    """A line without tax, in minor units."""

    number: int
    name: str
    description: str
    net_minor: int


@dataclass(frozen=True, slots=True)
class EInvoice:
    """One document. Amounts in minor units; `allowances` are taken off the lines, below zero they are charges."""

    number: str
    kind: str
    issued_on: date
    due_on: date | None
    currency: str
    seller: Party
    buyer: Party
    lines: tuple[ELine, ...]
    allowances: tuple[tuple[str, int], ...]
    category: str
    rate_micro: int
    reason: str
    tax_minor: int
    prepaid_minor: int
    first_day: date
    last_day: date
    note: str = ""
    preceding: str = ""
    reference: str = ""
    contact: Contact | None = None
    iban: str = ""
    specification: str = SPECIFICATION
    process: str = ""

    @property
    def lines_minor(self) -> int:
        """The sum of the lines."""
        return sum(line.net_minor for line in self.lines)

    @property
    def net_minor(self) -> int:
        """Without tax, allowances off."""
        return self.lines_minor - sum(amount for _, amount in self.allowances)

    @property
    def gross_minor(self) -> int:
        """With tax."""
        return self.net_minor + self.tax_minor

    @property
    def due_minor(self) -> int:
        """What is to be paid."""
        return self.gross_minor - self.prepaid_minor

    @property
    def percent(self) -> str:
        """The tax rate in percent."""
        return decimal_text(self.rate_micro, 4, at_least=2)

    @property
    def part_percent(self) -> str | None:
        """The rate of the whole tax: XRechnung wants one even where nothing is subject to VAT, EN 16931 none there."""
        return None if self.category == "O" and self.specification == SPECIFICATION else self.percent

    @property
    def means(self) -> str:
        """How it is paid, by UNTDID 4461: a SEPA transfer, or another one."""
        return "58" if self.currency == "EUR" else "30"

    def amount(self, minor: int) -> str:
        """An amount as a decimal string."""
        return amount_text(minor, self.currency)


def of_invoice(invoice: Invoice) -> EInvoice:
    """Return a final invoice. Raise EInvoiceError where EN 16931 cannot say it."""
    lines = list(invoice.lines.order_by("position"))
    net = invoice.gross_minor - invoice.tax_minor
    gross = invoice.subtotal_minor - invoice.discount_minor
    shares = [_without_tax(discount["amount_minor"], net, gross, invoice) for discount in invoice.discounts]
    nets = spread(net + sum(shares), [line.amount_minor for line in lines]) if invoice.tax_included else None
    return _document(
        invoice,
        number=invoice.number or "",
        kind=INVOICE,
        due_on=invoice.due_on,
        issued_on=invoice.issued_on,
        lines=tuple(_line(line, line.amount_minor if nets is None else nets[at]) for at, line in enumerate(lines)),
        allowances=tuple((one["name"], share) for one, share in zip(invoice.discounts, shares, strict=True)),
        tax_minor=invoice.tax_minor,
        prepaid_minor=invoice.credit_minor,
        note=invoice.taxes[0]["reason"] if invoice.taxes else "",
    )


def of_credit_note(note: CreditNote) -> EInvoice:
    """Return a credit note, its amounts positive as the standard wants them."""
    parts = [line["amount_minor"] for line in note.lines]
    nets = spread(note.subtotal_minor, parts) if note.invoice.tax_included else parts
    return _document(
        note.invoice,
        number=note.number,
        kind=CREDIT_NOTE,
        due_on=None,
        issued_on=note.issued_on,
        lines=tuple(ELine(line["position"], line["name"], "", net) for line, net in zip(note.lines, nets, strict=True)),
        allowances=(),
        tax_minor=note.tax_minor,
        prepaid_minor=0,
        note=note.reason,
        preceding=note.invoice.number or "",
    )


def _document(invoice: Invoice, **own: Any) -> EInvoice:
    if places_of(invoice.currency) > 2:
        raise EInvoiceError(f"EN 16931 has two decimals at most, {invoice.currency} has {places_of(invoice.currency)}.")
    seller, buyer = _party(invoice, "seller"), _party(invoice, "customer")
    if not (seller.country and buyer.country):
        raise EInvoiceError("EN 16931 asks for both countries: set SELLER_COUNTRY and the customer's country.")
    tax = invoice.taxes[0] if invoice.taxes else NOT_TAXED
    if tax["category"] != "O" and not seller.tax_id:
        raise EInvoiceError("EN 16931 asks for the seller's tax id: set SELLER_TAX_ID.")
    zone = ZoneInfo(invoice.timezone)
    return EInvoice(
        currency=invoice.currency,
        seller=seller,
        buyer=buyer,
        category=tax["category"],
        rate_micro=tax["rate_micro"],
        reason=tax["reason"],
        reference=invoice.buyer_reference,
        contact=_contact(invoice),
        iban=invoice.seller_iban,
        first_day=invoice.period_start.astimezone(zone).date(),
        last_day=(invoice.period_end - timedelta(microseconds=1)).astimezone(zone).date(),
        **own,
    )


def _party(invoice: Invoice, who: str) -> Party:
    name, country, tax_id, email, address = (
        getattr(invoice, f"{who}_{field}") for field in ("name", "country", "tax_id", "email", "address")
    )
    rows, post_code, city = town(tuple(row.strip() for row in address.splitlines() if row.strip()), country)
    return Party(name, rows, country, tax_id.replace(" ", ""), email, post_code, city)


def town(rows: tuple[str, ...], country: str) -> tuple[tuple[str, ...], str, str]:
    """Take post code and town out of an address: a row such as "20457 Hamburg", the last or, above the country, the last but one.

    Only where the post code stands first. Elsewhere the rows stay as they are, and code and town are empty.
    """
    for at in range(len(rows) - 1, max(len(rows) - 3, 0), -1) if country in POST_CODE_FIRST else ():
        if found := TOWN.fullmatch(rows[at]):
            return rows[:at], found["code"], found["town"]
    return rows, "", ""


def _contact(invoice: Invoice) -> Contact | None:
    contact = Contact(invoice.seller_contact, invoice.seller_phone, invoice.seller_email)
    return contact if contact.name and contact.phone and contact.email else None


def _line(line: InvoiceLine, net_minor: int) -> ELine:
    return ELine(line.position, line.name, f"{line.quantity_text} {line.unit}".strip(), net_minor)


def _without_tax(amount: int, net: int, gross: int, invoice: Invoice) -> int:
    if not invoice.tax_included or not gross:
        return amount
    return round_half_away(Fraction(amount * net, gross))


def signs(lines: Sequence[ELine]) -> list[tuple[ELine, int]]:
    """Return each line with its quantity, one or minus one: a price is never below zero in EN 16931."""
    return [(line, -1 if line.net_minor < 0 else 1) for line in lines]
