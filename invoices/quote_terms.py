"""What a quote says below its lines: discounts, taxes, credits, a commitment, what was billed already. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from invoices import plan_fields as fields
from invoices.money import parse_decimal, places_of, to_minor
from invoices.plan_fields import PlanFileError, path
from invoices.settlement import DiscountTerms, TaxTerms

MOST = 20
PLACES = 12


class TaxRounding(StrEnum):
    """Where tax is rounded: once per rate over the invoice, or on each line."""

    RATE = "rate"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class QuotedDiscount:
    """A discount on the lines of some meters, None for all lines."""

    name: str
    share: Fraction | None
    fixed_minor: int
    meters: frozenset[str] | None

    def on(self, meters: Sequence[str]) -> DiscountTerms:
        """The discount on the lines of these meters."""
        return DiscountTerms(self.name, self.share, self.fixed_minor, _places(self.meters, meters))


@dataclass(frozen=True, slots=True)
class QuotedTax:
    """A tax on the lines of some meters, None for all lines."""

    name: str
    rate: Fraction
    included: bool
    meters: frozenset[str] | None

    def on(self, meters: Sequence[str]) -> TaxTerms:
        """The tax on the lines of these meters."""
        return TaxTerms(self.name, self.rate, self.included, _places(self.meters, meters))


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything besides prices and usage. Amounts in minor units; `already_billed` by meter or name, or of the one price."""

    discounts: tuple[QuotedDiscount, ...]
    taxes: tuple[QuotedTax, ...]
    credits: tuple[tuple[str, int], ...]
    tax_per_line: bool
    commitment: Fraction
    already_billed: Mapping[str, int] | int | None


def terms_of(document: Mapping[str, Any], currency: str) -> Terms:
    """Return what stands below the lines, checked."""
    taxes = tuple(_tax(row, f"taxes[{index}]") for index, row in enumerate(_rows(document, "taxes")))
    if len({tax.included for tax in taxes}) > 1:
        raise PlanFileError("taxes", "prices include all taxes, or none.")
    return Terms(
        discounts=tuple(
            _discount(fields.table(row, f"discounts[{index}]"), f"discounts[{index}]", currency)
            for index, row in enumerate(_rows(document, "discounts"))
        ),
        taxes=taxes,
        credits=tuple(_credit(row, f"credits[{index}]", currency) for index, row in enumerate(_rows(document, "credits"))),
        tax_per_line=fields.choice(document, "tax_rounding", "", TaxRounding, TaxRounding.RATE) is TaxRounding.LINE,
        commitment=fields.number(document, "commitment", "", PLACES, "0"),
        already_billed=_billed(document.get("already_billed"), currency),
    )


def _rows(document: Mapping[str, Any], key: str) -> list[Any]:
    """A list, of which one entry may stand alone."""
    value = document.get(key)
    if value is None or value == []:
        return []
    return fields.rows(value if isinstance(value, list) else [value], key, MOST)


def _discount(row: Mapping[str, Any], where: str, currency: str) -> QuotedDiscount:
    fields.only(row, {"name", "rate", "percent", "fixed", "amount", "meters"}, where)
    given = [key for key in ("rate", "percent", "fixed", "amount") if row.get(key) is not None]
    if len(given) != 1:
        raise PlanFileError(where, 'has one of `rate` such as "0.10", `percent` such as "10", or `fixed` such as "5.00".')
    at, value = path(where, given[0]), row[given[0]]
    share, fixed_minor = None, 0
    if given[0] == "rate":
        share = fields.rate(value, at, PLACES)
    elif given[0] == "percent":
        share = fields.rate(f"{value}%" if isinstance(value, str | int) else value, at, PLACES)
    else:
        fixed_minor = amount(value, at, currency)
    return QuotedDiscount(fields.text(row, "name", where, 120, "Discount"), share, fixed_minor, _meters(row, where))


def _tax(value: object, where: str) -> QuotedTax:
    row = fields.table(value, where) if not isinstance(value, str) else {"rate": value}
    fields.only(row, {"name", "rate", "included", "inclusive", "meters"}, where)
    included = fields.flag(row, "included", where) or fields.flag(row, "inclusive", where)
    rate = fields.rate(row.get("rate"), path(where, "rate"), PLACES)
    return QuotedTax(fields.text(row, "name", where, 120, "Tax"), rate, included, _meters(row, where))


def _credit(value: object, where: str, currency: str) -> tuple[str, int]:
    if isinstance(value, Mapping):
        fields.only(value, {"name", "amount"}, where)
        return fields.text(value, "name", where, 120, "Credit"), amount(value.get("amount"), path(where, "amount"), currency)
    return "Credit", amount(value, where, currency)


def _billed(value: object, currency: str) -> Mapping[str, int] | int | None:
    if not isinstance(value, Mapping):
        return None if value is None else amount(value, "already_billed", currency, signed=True)
    if len(value) > MOST * 5:
        raise PlanFileError("already_billed", f"has {len(value)} entries; at most {MOST * 5} are read.")
    return {key: amount(number, f"already_billed.{str(key)[:40]}", currency, signed=True) for key, number in value.items()}


def amount(value: object, where: str, currency: str, *, signed: bool = False) -> int:
    """Return an amount of money in minor units; one finer than the currency is refused."""
    negative = signed and isinstance(value, str) and value.startswith("-")
    number = fields.decimal(value[1:] if negative and isinstance(value, str) else value, where, PLACES)
    try:
        parse_decimal(str(value), places_of(currency))
    except ValueError as error:
        raise PlanFileError(where, str(error)) from error
    return to_minor(-number if negative else number, currency)


def _meters(row: Mapping[str, Any], where: str) -> frozenset[str] | None:
    if row.get("meters") is None:
        return None
    names = fields.rows(row["meters"], path(where, "meters"), MOST * 5)
    if not all(isinstance(name, str) for name in names):
        raise PlanFileError(path(where, "meters"), "must list names of meters.")
    return frozenset(names)


def _places(meters: frozenset[str] | None, of_lines: Sequence[str]) -> frozenset[int] | None:
    return None if meters is None else frozenset(place for place, meter in enumerate(of_lines) if meter in meters)
