"""From lines to what is to be paid: discounts in their order, tax, then credits. Conventions 6 and 7 of money. Pure.

Amounts are whole minor units in and out. The lines come with their true-ups; what a discount takes off is spread over its
lines in proportion, so that each tax knows its base. An invoice and a quote are settled by the same function.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from invoices.money import round_half_away, spread


@dataclass(frozen=True, slots=True)
class DiscountTerms:
    """A share of its lines, or a fixed amount that stops at zero. `lines` are positions from 0; None is all of them."""

    name: str
    share: Fraction | None = None
    fixed_minor: int = 0
    lines: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """A rate on its lines, such as 19/100, put on top or already included in the prices."""

    name: str
    rate: Fraction
    included: bool = False
    lines: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class TaxDue:
    """One tax as charged: `base_minor` is what its lines come to after discounts, tax included where the prices include it."""

    terms: TaxTerms
    base_minor: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What stands below the lines. `net_minor` are the lines after discounts, `discounts` and `credits` what each took off."""

    subtotal_minor: int
    discounts: tuple[int, ...]
    net_minor: tuple[int, ...]
    taxes: tuple[TaxDue, ...]
    credits: tuple[int, ...]

    @property
    def discount_minor(self) -> int:
        """All discounts together."""
        return sum(self.discounts)

    @property
    def tax_minor(self) -> int:
        """All taxes together, whether on top or included."""
        return sum(tax.amount_minor for tax in self.taxes)

    @property
    def gross_minor(self) -> int:
        """With tax, before credits. Included tax changes no total."""
        return sum(self.net_minor) + sum(tax.amount_minor for tax in self.taxes if not tax.terms.included)

    @property
    def credit_minor(self) -> int:
        """All credits together."""
        return sum(self.credits)

    @property
    def total_minor(self) -> int:
        """What is to be paid; below zero where the lines are, for credits pay and give nothing back."""
        return self.gross_minor - self.credit_minor


def settle(
    amounts_minor: Sequence[int],
    discounts: Sequence[DiscountTerms] = (),
    taxes: Sequence[TaxTerms] = (),
    credits_minor: Sequence[int] = (),
    *,
    tax_per_line: bool = False,
) -> Settlement:
    """Return what lines come to. A percentage is rounded once; tax once per rate, or per line where asked."""
    net = list(amounts_minor)
    taken_off = tuple(_take_off(terms, net) for terms in discounts)
    due = tuple(_tax(terms, taxes, net, per_line=tax_per_line) for terms in taxes)
    left = sum(net) + sum(tax.amount_minor for tax in due if not tax.terms.included)
    used = []
    for credit in credits_minor:
        used.append(max(0, min(credit, left)))
        left -= used[-1]
    return Settlement(sum(amounts_minor), taken_off, tuple(net), due, tuple(used))


def _take_off(terms: DiscountTerms, net: list[int]) -> int:
    """Lower the lines of a discount in place and return by how much.

    Lines that sum below zero give back what was discounted when it was charged: a share of them is negative, too.
    """
    places = _places(terms.lines, net)
    base = sum(net[place] for place in places)
    amount = max(0, min(terms.fixed_minor, base)) if terms.share is None else round_half_away(terms.share * base)
    sign = -1 if base < 0 else 1
    for place, part in zip(places, spread(amount, [sign * net[place] for place in places]), strict=True):
        net[place] -= part
    return amount


def _tax(terms: TaxTerms, taxes: Sequence[TaxTerms], net: Sequence[int], *, per_line: bool) -> TaxDue:
    places = _places(terms.lines, net)
    exact = [net[place] * _rate(terms, taxes, place) for place in places]
    amount = sum(map(round_half_away, exact)) if per_line else round_half_away(sum(exact, Fraction(0)))
    return TaxDue(terms, sum(net[place] for place in places), amount)


def _rate(terms: TaxTerms, taxes: Sequence[TaxTerms], place: int) -> Fraction:
    """The share of a line's amount that is this tax. Rates never compound; included ones come off together."""
    if not terms.included:
        return terms.rate
    together = sum(tax.rate for tax in taxes if tax.included and (tax.lines is None or place in tax.lines))
    return Fraction(terms.rate, 1 + together)


def _places(lines: frozenset[int] | None, net: Sequence[int]) -> list[int]:
    return [place for place in range(len(net)) if lines is None or place in lines]
