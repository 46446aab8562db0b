"""Which tax a customer is charged, from the two countries and the tax id. Pure: rates are handed in.

Within the EU: at home the home rate; abroad without an id for VAT the customer's country's rate; abroad with one none, as
the recipient owes it (reverse charge). To and from elsewhere none. Without a seller's country no tax at all is charged.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from invoices.parts import NoPriceError

EU = frozenset("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split())
VAT_PREFIXES = {"GR": "EL"}  # Of the others it is the country's code.
REVERSE_CHARGE = "Reverse charge: VAT is owed by the recipient (Article 196 of Directive 2006/112/EC)."
OUTSIDE = "Services to a recipient abroad, not subject to the seller's tax."


@dataclass(frozen=True, slots=True)
class Rate:
    """A country's standard rate from a day on."""

    country: str
    since: date
    name: str
    rate_micro: int


@dataclass(frozen=True, slots=True)
class Tax:
    """What an invoice charges. `category` is of EN 16931: S standard, Z zero, AE reverse charge, O not subject to tax."""

    name: str
    category: str
    rate_micro: int
    reason: str = ""

    @property
    def rate(self) -> Fraction:
        """The share of the net amount."""
        return Fraction(self.rate_micro, 10**6)


class TaxError(NoPriceError):
    """Why the tax cannot be told, as a sentence for the operator."""


def tax_of(seller: str, customer: str, tax_id: str, rates: Sequence[Rate], on: date) -> Tax | None:
    """Return the tax on what is supplied on a day, None where the seller charges none at all.

    Raise TaxError where a country's rate is not known.
    """
    buyer = customer or seller
    if not seller:
        return None
    if buyer == seller:
        return _standard(buyer, rates, on)
    if buyer not in EU or seller not in EU:
        return Tax("", "O", 0, OUTSIDE)
    if is_vat_id(tax_id, buyer):
        return Tax("VAT", "AE", 0, REVERSE_CHARGE)
    return _standard(buyer, rates, on)


def is_vat_id(tax_id: str, country: str) -> bool:
    """Whether a tax id has the form of one for VAT of an EU country. Whether it is registered is not known here."""
    prefix = VAT_PREFIXES.get(country, country)
    return re.fullmatch(prefix + "[0-9A-Z+*]{2,12}", tax_id.replace(" ", "")) is not None


def _standard(country: str, rates: Sequence[Rate], on: date) -> Tax:
    known = [rate for rate in rates if rate.country == country and rate.since <= on]
    if not known:
        raise TaxError(f"No tax rate of {country} is known for {on}: add it to the tax rates.")
    rate = max(known, key=lambda rate: rate.since)
    return Tax(rate.name, "S" if rate.rate_micro else "Z", rate.rate_micro)
