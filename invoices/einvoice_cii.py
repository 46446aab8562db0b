"""An electronic invoice in UN/CEFACT's Cross Industry Invoice: the syntax of Factur-X, ZUGFeRD and XRechnung (CII)."""

from datetime import date

from invoices.einvoice import EInvoice, ELine, Party, signs
from invoices.einvoice_xml import Pair, document

NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}


def cii(bill: EInvoice) -> bytes:
    """Return the document as XML."""
    head: list[Pair] = [
        ("ram:ID", bill.number),
        ("ram:TypeCode", bill.kind),
        ("ram:IssueDateTime", _day(bill.issued_on)),
        ("ram:IncludedNote", [("ram:Content", bill.note)] if bill.note else None),
    ]
    delivered: list[Pair] = [("ram:ActualDeliverySupplyChainEvent", [("ram:OccurrenceDateTime", _day(bill.last_day))])]
    trade: list[Pair] = [
        *(("ram:IncludedSupplyChainTradeLineItem", _line(bill, line, sign)) for line, sign in signs(bill.lines)),
        ("ram:ApplicableHeaderTradeAgreement", _agreement(bill)),
        ("ram:ApplicableHeaderTradeDelivery", delivered),
        ("ram:ApplicableHeaderTradeSettlement", _settlement(bill)),
    ]
    process: list[Pair] = [("ram:ID", bill.process)] if bill.process else []
    guide: list[Pair] = [
        ("ram:BusinessProcessSpecifiedDocumentContextParameter", process),
        ("ram:GuidelineSpecifiedDocumentContextParameter", [("ram:ID", bill.specification)]),
    ]
    return document(
        "rsm:CrossIndustryInvoice",
        NAMESPACES,
        [("rsm:ExchangedDocumentContext", guide), ("rsm:ExchangedDocument", head), ("rsm:SupplyChainTradeTransaction", trade)],
    )


def _line(bill: EInvoice, line: ELine, sign: int) -> list[Pair]:
    price: list[Pair] = [("ram:NetPriceProductTradePrice", [("ram:ChargeAmount", bill.amount(abs(line.net_minor)))])]
    total: list[Pair] = [("ram:LineTotalAmount", bill.amount(line.net_minor))]
    return [
        ("ram:AssociatedDocumentLineDocument", [("ram:LineID", str(line.number))]),
        ("ram:SpecifiedTradeProduct", [("ram:Name", line.name), ("ram:Description", line.description)]),
        ("ram:SpecifiedLineTradeAgreement", price),
        ("ram:SpecifiedLineTradeDelivery", [("ram:BilledQuantity", ({"unitCode": "C62"}, str(sign)))]),
        (
            "ram:SpecifiedLineTradeSettlement",
            [("ram:ApplicableTradeTax", _tax(bill)), ("ram:SpecifiedTradeSettlementLineMonetarySummation", total)],
        ),
    ]


def _tax(bill: EInvoice) -> list[Pair]:
    return [
        ("ram:TypeCode", "VAT"),
        ("ram:CategoryCode", bill.category),
        ("ram:RateApplicablePercent", None if bill.category == "O" else bill.percent),
    ]


def _agreement(bill: EInvoice) -> list[Pair]:
    return [
        ("ram:BuyerReference", bill.reference),
        ("ram:SellerTradeParty", _party(bill, bill.seller, seller=True)),
        ("ram:BuyerTradeParty", _party(bill, bill.buyer, seller=False)),
    ]


def _party(bill: EInvoice, party: Party, *, seller: bool) -> list[Pair]:
    """Who. Where nothing is subject to VAT the standard wants no VAT id, but some other id of the seller."""
    taxed = bill.category != "O"
    lines = dict(zip(("ram:LineOne", "ram:LineTwo", "ram:LineThree"), party.address, strict=False))
    ids: list[Pair] = []
    if taxed and party.vat_id:
        ids = [("ram:SpecifiedTaxRegistration", [("ram:ID", ({"schemeID": "VA"}, party.vat_id))])]
    elif taxed and seller:
        ids = [("ram:SpecifiedTaxRegistration", [("ram:ID", ({"schemeID": "FC"}, party.tax_id))])]
    return [
        ("ram:ID", (party.tax_id or party.name) if seller and not ids or seller and not party.vat_id else None),
        ("ram:Name", party.name),
        ("ram:DefinedTradeContact", _contact(bill) if seller else None),
        (
            "ram:PostalTradeAddress",
            [
                ("ram:PostcodeCode", party.post_code),
                *lines.items(),
                ("ram:CityName", party.city),
                ("ram:CountryID", party.country),
            ],
        ),
        ("ram:URIUniversalCommunication", [("ram:URIID", ({"schemeID": "EM"}, party.email))] if party.email else None),
        *ids,
    ]


def _contact(bill: EInvoice) -> list[Pair]:
    if bill.contact is None:
        return []
    return [
        ("ram:PersonName", bill.contact.name),
        ("ram:TelephoneUniversalCommunication", [("ram:CompleteNumber", bill.contact.phone)]),
        ("ram:EmailURIUniversalCommunication", [("ram:URIID", bill.contact.email)]),
    ]


def _means(bill: EInvoice) -> list[Pair]:
    if not bill.iban:
        return []
    return [("ram:TypeCode", bill.means), ("ram:PayeePartyCreditorFinancialAccount", [("ram:IBANID", bill.iban)])]


def _settlement(bill: EInvoice) -> list[Pair]:
    tax: list[Pair] = [
        ("ram:CalculatedAmount", bill.amount(bill.tax_minor)),
        ("ram:TypeCode", "VAT"),
        ("ram:ExemptionReason", bill.reason),
        ("ram:BasisAmount", bill.amount(bill.net_minor)),
        ("ram:CategoryCode", bill.category),
        ("ram:RateApplicablePercent", bill.part_percent),
    ]
    period: list[Pair] = [("ram:StartDateTime", _day(bill.first_day)), ("ram:EndDateTime", _day(bill.last_day))]
    return [
        ("ram:PaymentReference", bill.number if bill.iban else None),
        ("ram:InvoiceCurrencyCode", bill.currency),
        ("ram:SpecifiedTradeSettlementPaymentMeans", _means(bill)),
        ("ram:ApplicableTradeTax", tax),
        ("ram:BillingSpecifiedPeriod", period),
        *(("ram:SpecifiedTradeAllowanceCharge", _allowance(bill, name, amount)) for name, amount in bill.allowances),
        ("ram:SpecifiedTradePaymentTerms", _terms(bill)),
        ("ram:SpecifiedTradeSettlementHeaderMonetarySummation", _sums(bill)),
        ("ram:InvoiceReferencedDocument", [("ram:IssuerAssignedID", bill.preceding)] if bill.preceding else None),
    ]


def _allowance(bill: EInvoice, name: str, amount: int) -> list[Pair]:
    return [
        ("ram:ChargeIndicator", [("udt:Indicator", "true" if amount < 0 else "false")]),
        ("ram:ActualAmount", bill.amount(abs(amount))),
        ("ram:Reason", name),
        ("ram:CategoryTradeTax", _tax(bill)),
    ]


def _terms(bill: EInvoice) -> list[Pair]:
    if bill.due_on is None:
        return [("ram:Description", "Nothing is to be paid.")]
    return [("ram:DueDateDateTime", _day(bill.due_on))]


def _sums(bill: EInvoice) -> list[Pair]:
    less = sum(amount for _, amount in bill.allowances if amount > 0)
    more = -sum(amount for _, amount in bill.allowances if amount < 0)
    return [
        ("ram:LineTotalAmount", bill.amount(bill.lines_minor)),
        ("ram:ChargeTotalAmount", bill.amount(more) if more else None),
        ("ram:AllowanceTotalAmount", bill.amount(less) if less else None),
        ("ram:TaxBasisTotalAmount", bill.amount(bill.net_minor)),
        ("ram:TaxTotalAmount", ({"currencyID": bill.currency}, bill.amount(bill.tax_minor))),
        ("ram:GrandTotalAmount", bill.amount(bill.gross_minor)),
        ("ram:TotalPrepaidAmount", bill.amount(bill.prepaid_minor) if bill.prepaid_minor else None),
        ("ram:DuePayableAmount", bill.amount(bill.due_minor)),
    ]


def _day(day: date) -> list[Pair]:
    return [("udt:DateTimeString", ({"format": "102"}, f"{day:%Y%m%d}"))]
