"""What Germany's XRechnung 3.0 asks of an electronic invoice beyond EN 16931, so that its authorities take it. Pure.

A customer in Germany that wants a reference quoted (an authority's Leitweg-ID) gets XRechnung, everybody else EN 16931.
"""

from dataclasses import replace

from invoices.einvoice import EInvoice, EInvoiceError

SPECIFICATION = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"


def exchanged(bill: EInvoice) -> EInvoice:
    """Return the document as it is sent. Raise EInvoiceError where it is to be XRechnung and something for that is missing."""
    if bill.buyer.country != "DE" or not bill.reference:
        return bill
    if missing := [name for name, there in _asked(bill) if not there]:
        raise EInvoiceError(f"XRechnung, which a reference in Germany asks for, lacks: {', '.join(missing)}.")
    return replace(bill, specification=SPECIFICATION, process=PROCESS)


def _asked(bill: EInvoice) -> list[tuple[str, bool]]:
    """What must be there, in the words of who can mend it."""
    return [
        ("a contact (SELLER_CONTACT, SELLER_PHONE, SELLER_EMAIL)", bill.contact is not None),
        ("an account (SELLER_IBAN)", bool(bill.iban)),
        ("post code and town, such as 20457 Hamburg, as the last row of SELLER_ADDRESS", bool(bill.seller.city)),
        ("the same in the customer's address", bool(bill.buyer.city)),
        ("the customer's e-mail address for invoices", bool(bill.buyer.email)),
    ]
