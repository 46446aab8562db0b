"""From an invoice's lines to what is to be paid, under its customer's conditions; the arithmetic is settlement.py's.

A total below zero is carried over: the wallet takes it, and nothing is to be paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from invoices.conditions import Conditions
from invoices.rating import Line
from invoices.settlement import TaxTerms, settle
from invoices.tax import Tax


@dataclass(frozen=True, slots=True)
class Totals:
    """What stands below the lines, in minor units. `credit_minor` is what the wallet pays, or below zero takes over."""

    subtotal_minor: int
    discounts: tuple[tuple[str, int], ...]
    tax: Tax | None
    tax_included: bool
    tax_minor: int
    credit_minor: int

    @property
    def discount_minor(self) -> int:
        """All discounts together."""
        return sum(amount for _, amount in self.discounts)

    @property
    def gross_minor(self) -> int:
        """With tax, before the wallet."""
        return self.subtotal_minor - self.discount_minor + (0 if self.tax_included else self.tax_minor)

    @property
    def net_minor(self) -> int:
        """Without tax."""
        return self.gross_minor - self.tax_minor

    @property
    def total_minor(self) -> int:
        """What is to be paid."""
        return self.gross_minor - self.credit_minor

    def taxes_json(self) -> list[dict[str, Any]]:
        """The tax as an invoice prints and keeps it."""
        if self.tax is None:
            return []
        return [
            {
                "name": self.tax.name,
                "category": self.tax.category,
                "rate_micro": self.tax.rate_micro,
                "reason": self.tax.reason,
                "base_minor": self.net_minor,
                "tax_minor": self.tax_minor,
            }
        ]

    def discounts_json(self) -> list[dict[str, Any]]:
        """The discounts as an invoice prints and keeps them."""
        return [{"name": name, "amount_minor": amount_minor} for name, amount_minor in self.discounts]


def totals_of(lines: Sequence[Line], conditions: Conditions) -> Totals:
    """Settle lines under a customer's conditions."""
    tax = conditions.tax
    included = conditions.tax_included and tax is not None
    settled = settle(
        [line.amount_minor for line in lines],
        conditions.discounts,
        [TaxTerms(tax.name, tax.rate, included)] if tax else [],
        [conditions.wallet_minor],
    )
    taken = zip((terms.name for terms in conditions.discounts), settled.discounts, strict=True)
    return Totals(
        subtotal_minor=settled.subtotal_minor,
        discounts=tuple((name, amount) for name, amount in taken if amount),
        tax=tax,
        tax_included=included,
        tax_minor=settled.tax_minor,
        credit_minor=min(settled.gross_minor, 0) or settled.credit_minor,
    )
