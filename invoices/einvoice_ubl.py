"""An electronic invoice in OASIS UBL 2.1: an Invoice, or a CreditNote with its own names for the same things."""

from invoices.einvoice import CREDIT_NOTE, EInvoice, ELine, Party, signs
from invoices.einvoice_xml import Pair, document

COMMON = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}


def ubl(bill: EInvoice) -> bytes:
    """Return the document as XML."""
    credit = bill.kind == CREDIT_NOTE
    name = "CreditNote" if credit else "Invoice"
    children: list[Pair] = [
        ("cbc:CustomizationID", bill.specification),
        ("cbc:ProfileID", bill.process),
        ("cbc:ID", bill.number),
        ("cbc:IssueDate", bill.issued_on.isoformat()),
        ("cbc:DueDate", bill.due_on.isoformat() if bill.due_on and not credit else None),
        (f"cbc:{name}TypeCode", bill.kind),
        ("cbc:Note", bill.note),
        ("cbc:DocumentCurrencyCode", bill.currency),
        ("cbc:BuyerReference", bill.reference),
        (
            "cac:InvoicePeriod",
            [("cbc:StartDate", bill.first_day.isoformat()), ("cbc:EndDate", bill.last_day.isoformat())],
        ),
        ("cac:BillingReference", [("cac:InvoiceDocumentReference", [("cbc:ID", bill.preceding)])] if bill.preceding else None),
        ("cac:AccountingSupplierParty", [("cac:Party", _party(bill, bill.seller, seller=True))]),
        ("cac:AccountingCustomerParty", [("cac:Party", _party(bill, bill.buyer, seller=False))]),
        ("cac:PaymentMeans", _means(bill)),
        ("cac:PaymentTerms", None if bill.due_on else [("cbc:Note", "Nothing is to be paid.")]),
        *(("cac:AllowanceCharge", _allowance(bill, reason, amount)) for reason, amount in bill.allowances),
        ("cac:TaxTotal", _tax_total(bill)),
        ("cac:LegalMonetaryTotal", _sums(bill)),
        *((f"cac:{name}Line", _line(bill, line, sign, credit=credit)) for line, sign in signs(bill.lines)),
    ]
    root = f"urn:oasis:names:specification:ubl:schema:xsd:{name}-2"
    return document(f"ubl:{name}", {"ubl": root, **COMMON}, children)


def _amount(bill: EInvoice, minor: int) -> tuple[dict[str, str], str]:
    return {"currencyID": bill.currency}, bill.amount(minor)


def _party(bill: EInvoice, party: Party, *, seller: bool) -> list[Pair]:
    """Who. Where nothing is subject to VAT the standard wants no VAT id, but some other id of the seller."""
    taxed = bill.category != "O"
    streets = dict(zip(("cbc:StreetName", "cbc:AdditionalStreetName"), party.address, strict=False))
    third = [("cac:AddressLine", [("cbc:Line", party.address[2])])] if len(party.address) > 2 else []
    country: Pair = ("cac:Country", [("cbc:IdentificationCode", party.country)])
    vat = party.vat_id if taxed else ""
    scheme, tax_id = ("VAT", vat) if vat else ("TAX", party.tax_id if taxed and seller else "")
    identified = seller and not vat
    return [
        ("cbc:EndpointID", ({"schemeID": "EM"}, party.email) if party.email else None),
        ("cac:PartyIdentification", [("cbc:ID", party.tax_id or party.name)] if identified else None),
        (
            "cac:PostalAddress",
            [*streets.items(), ("cbc:CityName", party.city), ("cbc:PostalZone", party.post_code), *third, country],
        ),
        ("cac:PartyTaxScheme", [("cbc:CompanyID", tax_id), ("cac:TaxScheme", [("cbc:ID", scheme)])] if tax_id else None),
        ("cac:PartyLegalEntity", [("cbc:RegistrationName", party.name)]),
        ("cac:Contact", _contact(bill) if seller else None),
    ]


def _contact(bill: EInvoice) -> list[Pair]:
    if bill.contact is None:
        return []
    names = ("cbc:Name", "cbc:Telephone", "cbc:ElectronicMail")
    return list(zip(names, (bill.contact.name, bill.contact.phone, bill.contact.email), strict=True))


def _means(bill: EInvoice) -> list[Pair]:
    if not bill.iban:
        return []
    return [
        ("cbc:PaymentMeansCode", bill.means),
        ("cbc:PaymentID", bill.number),
        ("cac:PayeeFinancialAccount", [("cbc:ID", bill.iban)]),
    ]


def _category(bill: EInvoice, *, whole: bool = False) -> list[Pair]:
    """The tax of a line or an allowance, or of the `whole` document with its reason."""
    percent = None if bill.category == "O" else bill.percent
    return [
        ("cbc:ID", bill.category),
        ("cbc:Percent", bill.part_percent if whole else percent),
        ("cbc:TaxExemptionReason", bill.reason if whole else None),
        ("cac:TaxScheme", [("cbc:ID", "VAT")]),
    ]


def _allowance(bill: EInvoice, reason: str, amount: int) -> list[Pair]:
    return [
        ("cbc:ChargeIndicator", "true" if amount < 0 else "false"),
        ("cbc:AllowanceChargeReason", reason),
        ("cbc:Amount", _amount(bill, abs(amount))),
        ("cac:TaxCategory", _category(bill)),
    ]


def _tax_total(bill: EInvoice) -> list[Pair]:
    part: list[Pair] = [
        ("cbc:TaxableAmount", _amount(bill, bill.net_minor)),
        ("cbc:TaxAmount", _amount(bill, bill.tax_minor)),
        ("cac:TaxCategory", _category(bill, whole=True)),
    ]
    return [("cbc:TaxAmount", _amount(bill, bill.tax_minor)), ("cac:TaxSubtotal", part)]


def _sums(bill: EInvoice) -> list[Pair]:
    less = sum(amount for _, amount in bill.allowances if amount > 0)
    more = -sum(amount for _, amount in bill.allowances if amount < 0)
    return [
        ("cbc:LineExtensionAmount", _amount(bill, bill.lines_minor)),
        ("cbc:TaxExclusiveAmount", _amount(bill, bill.net_minor)),
        ("cbc:TaxInclusiveAmount", _amount(bill, bill.gross_minor)),
        ("cbc:AllowanceTotalAmount", _amount(bill, less) if less else None),
        ("cbc:ChargeTotalAmount", _amount(bill, more) if more else None),
        ("cbc:PrepaidAmount", _amount(bill, bill.prepaid_minor) if bill.prepaid_minor else None),
        ("cbc:PayableAmount", _amount(bill, bill.due_minor)),
    ]


def _line(bill: EInvoice, line: ELine, sign: int, *, credit: bool) -> list[Pair]:
    quantity = "cbc:CreditedQuantity" if credit else "cbc:InvoicedQuantity"
    return [
        ("cbc:ID", str(line.number)),
        (quantity, ({"unitCode": "C62"}, str(sign))),
        ("cbc:LineExtensionAmount", _amount(bill, line.net_minor)),
        (
            "cac:Item",
            [
                ("cbc:Description", line.description),
                ("cbc:Name", line.name),
                ("cac:ClassifiedTaxCategory", _category(bill)),
            ],
        ),
        ("cac:Price", [("cbc:PriceAmount", _amount(bill, abs(line.net_minor)))]),
    ]
