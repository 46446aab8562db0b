"""A plan as a document, TOML or JSON: checked word by word into terms, and written back. Pure.

Numbers are decimal strings or whole numbers; a binary fraction such as TOML's 0.1 is refused, for it is not what it says.
docs/money.md lists the keys.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from invoices import plan_fields as fields
from invoices.money import exact_text, places_of
from invoices.terms import Model, PriceTerms, Proration, TierTerms, units_of
from usage.meters import METERS, MICRO_PERCENT

PRICE_PLACES = 9
QUANTITY_PLACES = 6
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PLAN_KEYS = {"code", "name", "currency", "effective_from", "prices"}
_PRICE_KEYS = {"name", "model", "meter", "unit", "selector"}
_KEYS_OF = {
    Model.PER_UNIT: {"unit_price", "included"},
    Model.SAMPLE_TARIFF: {"unit_price", "included"},
    Model.GRADUATED: {"tiers", "included", "flat_when_zero"},
    Model.VOLUME: {"tiers", "included", "flat_when_zero"},
    Model.PACKAGE: {"package_size", "package_price", "included"},
    Model.FLAT: {"unit_price", "proration"},
}


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A checked document."""

    code: str
    name: str
    currency: str
    effective_from: datetime | None
    prices: tuple[PriceTerms, ...]


def read(text: str, *, as_json: bool = False) -> PlanDocument:
    """Return a checked document. Raise PlanFileError naming the key that is wrong."""
    try:
        document = json.loads(text) if as_json else tomllib.loads(text)
    except ValueError as error:
        raise fields.PlanFileError("", f"not {'JSON' if as_json else 'TOML'}: {error}") from error
    return check(document)


def check(document: object) -> PlanDocument:
    """Return a parsed document, checked."""
    plan = fields.table(document, "")
    fields.only(plan, _PLAN_KEYS, "")
    rows = plan.get("prices")
    if not isinstance(rows, list) or not rows:
        raise fields.PlanFileError("prices", "a plan needs at least one price.")
    return PlanDocument(
        code=_code(plan),
        name=fields.text(plan, "name", "", 120),
        currency=_currency(plan),
        effective_from=fields.instant(plan, "effective_from"),
        prices=check_prices(rows),
    )


def check_prices(rows: Sequence[object]) -> tuple[PriceTerms, ...]:
    """Return the prices of a document. No two may price the same meter of the same machines."""
    prices = tuple(_price(fields.table(row, f"prices[{index}]"), index) for index, row in enumerate(rows))
    seen: dict[tuple[str, str], int] = {}
    for index, price in enumerate(prices):
        first = seen.setdefault((price.meter, price.selector), index)
        if price.meter and first != index:
            raise fields.PlanFileError(f"prices[{index}].meter", f"prices[{first}] prices {price.meter!r} already.")
    return prices


def _price(row: Mapping[str, Any], index: int) -> PriceTerms:
    where = f"prices[{index}]"
    model = fields.choice(row, "model", where, Model)
    fields.only(row, _PRICE_KEYS | _KEYS_OF[model], where)
    meter, unit = ("", "") if model is Model.FLAT else _metered(row, model, where)
    if model is Model.FLAT and (row.get("meter") or row.get("unit") or row.get("selector")):
        raise fields.PlanFileError(where, "a flat fee has no meter, unit or selector.")
    price_key = "package_price" if model is Model.PACKAGE else "unit_price"
    tiered = "tiers" in _KEYS_OF[model]
    return PriceTerms(
        position=index,
        name=fields.text(row, "name", where, 120, METERS[meter].name if meter else "Base fee"),
        model=model,
        meter=meter,
        unit=unit,
        unit_price=Fraction(0) if tiered else fields.number(row, price_key, where, PRICE_PLACES),
        tiers=_tiers(row.get("tiers"), where) if tiered else (),
        package_size=_package_size(row, where) if model is Model.PACKAGE else Fraction(1),
        included=fields.number(row, "included", where, QUANTITY_PLACES, "0"),
        flat_when_zero=fields.flag(row, "flat_when_zero", where),
        proration=fields.choice(row, "proration", where, Proration, Proration.DAY),
        selector=fields.text(row, "selector", where, 40, ""),
    )


def _metered(row: Mapping[str, Any], model: Model, where: str) -> tuple[str, str]:
    meter = fields.text(row, "meter", where, 40)
    if meter not in METERS:
        raise fields.PlanFileError(f"{where}.meter", f"{meter!r} is not metered. Known: {', '.join(METERS)}.")
    if model is Model.SAMPLE_TARIFF and METERS[meter].base != MICRO_PERCENT:
        raise fields.PlanFileError(f"{where}.meter", "a sample tariff prices cpu_percent_samples or memory_percent_samples.")
    unit = fields.text(row, "unit", where, 20, METERS[meter].unit)
    if unit not in units_of(meter):
        raise fields.PlanFileError(f"{where}.unit", f"{meter!r} is priced per {' or '.join(units_of(meter))}, not per {unit!r}.")
    return meter, unit


def _tiers(rows: object, where: str) -> tuple[TierTerms, ...]:
    if not isinstance(rows, list) or not rows:
        raise fields.PlanFileError(f"{where}.tiers", "this model needs at least one tier.")
    tiers = tuple(
        _tier(fields.table(row, f"{where}.tiers[{index}]"), f"{where}.tiers[{index}]") for index, row in enumerate(rows)
    )
    reached = Fraction(0)
    for index, tier in enumerate(tiers):
        last = index == len(tiers) - 1
        if (tier.up_to is None) != last:
            raise fields.PlanFileError(f"{where}.tiers[{index}].up_to", "the last tier has none, every other tier has one.")
        if tier.up_to is not None and tier.up_to <= reached:
            raise fields.PlanFileError(f"{where}.tiers[{index}].up_to", "each tier ends above the one before.")
        reached = tier.up_to or reached
    return tiers


def _tier(row: Mapping[str, Any], where: str) -> TierTerms:
    fields.only(row, {"up_to", "unit_price", "flat"}, where)
    return TierTerms(
        up_to=None if row.get("up_to") is None else fields.number(row, "up_to", where, QUANTITY_PLACES),
        unit_price=fields.number(row, "unit_price", where, PRICE_PLACES),
        flat=fields.number(row, "flat", where, PRICE_PLACES, "0"),
    )


def _package_size(row: Mapping[str, Any], where: str) -> Fraction:
    size = fields.number(row, "package_size", where, QUANTITY_PLACES)
    if not size:
        raise fields.PlanFileError(f"{where}.package_size", "a package holds more than nothing.")
    return size


def _code(plan: Mapping[str, Any]) -> str:
    code = fields.text(plan, "code", "", 63)
    if not _CODE.fullmatch(code):
        raise fields.PlanFileError("code", "use lower-case letters, digits and hyphens.")
    return code


def _currency(plan: Mapping[str, Any]) -> str:
    currency = fields.text(plan, "currency", "", 3)
    try:
        places_of(currency)
    except ValueError as error:
        raise fields.PlanFileError("currency", str(error)) from error
    return currency


def dump(plan: PlanDocument) -> dict[str, Any]:
    """Return a document as plain values, such that `check(dump(plan)) == plan`."""
    head: dict[str, Any] = {"code": plan.code, "name": plan.name, "currency": plan.currency}
    if plan.effective_from is not None:
        head["effective_from"] = plan.effective_from.isoformat().replace("+00:00", "Z")
    return {**head, "prices": [dump_price(price) for price in plan.prices]}


def dump_price(price: PriceTerms) -> dict[str, Any]:
    """Return a price with the keys of its model, numbers as decimal strings."""
    row: dict[str, Any] = {"name": price.name, "model": price.model.value}
    if price.model is Model.FLAT:
        return {**row, "unit_price": exact_text(price.unit_price), "proration": price.proration.value}
    row |= {"meter": price.meter, "unit": price.unit}
    row |= {"selector": price.selector} if price.selector else {}
    row |= {"included": exact_text(price.included)} if price.included else {}
    if price.model is Model.PACKAGE:
        return {**row, "package_size": exact_text(price.package_size), "package_price": exact_text(price.unit_price)}
    if "tiers" not in _KEYS_OF[price.model]:
        return {**row, "unit_price": exact_text(price.unit_price)}
    row |= {"flat_when_zero": True} if price.flat_when_zero else {}
    return {**row, "tiers": [_dump_tier(tier) for tier in price.tiers]}


def _dump_tier(tier: TierTerms) -> dict[str, str]:
    row = {"unit_price": exact_text(tier.unit_price)}
    row |= {"flat": exact_text(tier.flat)} if tier.flat else {}
    return row if tier.up_to is None else {"up_to": exact_text(tier.up_to), **row}
