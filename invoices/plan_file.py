"""A plan as a document, TOML or JSON: checked word by word into terms, and written back. Pure.

Numbers are decimal strings or whole numbers; a binary fraction such as TOML's 0.1 is refused, for it is not what it says.
docs/money.md lists the keys; plan_price.py reads those of a price.
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
from invoices.money import PRICE_PLACES, exact_text, places_of
from invoices.plan_price import Reading, dump_price, price_of
from invoices.terms import ZERO, PriceTerms, VersionTerms
from usage.meters import METERS

MOST_PRICES = 100
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_METER = re.compile(r"[a-z][a-z0-9_]{0,39}")
PLAN_KEYS = {"code", "name", "currency", "effective_from", "custom_meters", "commitment", "prices"}


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A checked document."""

    code: str
    name: str
    currency: str
    effective_from: datetime | None
    prices: tuple[PriceTerms, ...]
    commitment: Fraction = ZERO


def read(text: str, *, as_json: bool = False) -> PlanDocument:
    """Return a checked document. Raise PlanFileError naming the key that is wrong."""
    try:
        document = json.loads(text) if as_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise fields.PlanFileError("", f"not {'JSON' if as_json else 'TOML'}: {error}") from error
    return check(document)


def check(document: object) -> PlanDocument:
    """Return a parsed document, checked."""
    plan = fields.table(document, "")
    fields.only(plan, PLAN_KEYS, "")
    rows = plan.get("prices")
    if not isinstance(rows, list) or not rows:
        raise fields.PlanFileError("prices", "a plan needs at least one price.")
    custom = _custom_meters(plan)
    prices = check_prices(rows, Reading(custom=custom))
    unused = custom - {price.meter for price in prices}
    if unused:
        raise fields.PlanFileError("custom_meters", f"no price is of {', '.join(sorted(unused))}.")
    return PlanDocument(
        code=_code(plan),
        name=fields.text(plan, "name", "", 120),
        currency=currency_of(plan),
        effective_from=fields.instant(plan, "effective_from"),
        prices=prices,
        commitment=fields.number(plan, "commitment", "", PRICE_PLACES, "0"),
    )


def check_prices(rows: Sequence[object], reading: Reading = Reading()) -> tuple[PriceTerms, ...]:  # noqa: B008 - frozen
    """Return the prices of a document. No two may price the same meter of the same machines at the same time."""
    if len(rows) > MOST_PRICES:
        raise fields.PlanFileError("prices", f"has {len(rows)} entries; at most {MOST_PRICES} are read.")
    prices = tuple(price_of(fields.table(row, f"prices[{index}]"), index, reading) for index, row in enumerate(rows))
    for index, price in enumerate(prices):
        for first, other in enumerate(prices[:index]):
            if price.meter in METERS and _same_usage(price, other):
                raise fields.PlanFileError(f"prices[{index}].meter", f"prices[{first}] prices {price.meter!r} already.")
    return prices


def _same_usage(one: PriceTerms, other: PriceTerms) -> bool:
    """Whether two prices are for the same machines in a common time."""
    if (one.meter, one.selector, one.labels) != (other.meter, other.selector, other.labels):
        return False
    starts = [price.active[0] for price in (one, other) if price.active[0] is not None]
    ends = [price.active[1] for price in (one, other) if price.active[1] is not None]
    return not starts or not ends or max(starts) < min(ends)


def _custom_meters(plan: Mapping[str, Any]) -> frozenset[str]:
    """Meters that nothing reports yet: named once more, so that a typing error does not become one."""
    names = plan.get("custom_meters", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and _METER.fullmatch(name) for name in names):
        raise fields.PlanFileError("custom_meters", "must list names of lower-case letters, digits and underscores.")
    return frozenset(names)


def _code(plan: Mapping[str, Any]) -> str:
    code = fields.text(plan, "code", "", 63)
    if not _CODE.fullmatch(code):
        raise fields.PlanFileError("code", "use lower-case letters, digits and hyphens.")
    return code


def currency_of(row: Mapping[str, Any]) -> str:
    """Return the currency that a document or a quote names."""
    currency = fields.text(row, "currency", "", 3)
    try:
        places_of(currency)
    except ValueError as error:
        raise fields.PlanFileError("currency", str(error)) from error
    return currency


def document_of(version: VersionTerms, effective_from: datetime | None) -> PlanDocument:
    """Return a stored version as a document."""
    return PlanDocument(
        version.plan_code, version.plan_name, version.currency, effective_from, version.prices, version.commitment
    )


def dump(plan: PlanDocument) -> dict[str, Any]:
    """Return a document as plain values, such that `check(dump(plan)) == plan`."""
    head: dict[str, Any] = {"code": plan.code, "name": plan.name, "currency": plan.currency}
    if plan.effective_from is not None:
        head["effective_from"] = plan.effective_from.isoformat().replace("+00:00", "Z")
    custom = sorted({price.meter for price in plan.prices if price.meter and price.meter not in METERS})
    head |= {"custom_meters": custom} if custom else {}
    head |= {"commitment": exact_text(plan.commitment)} if plan.commitment else {}
    return {**head, "prices": [dump_price(price) for price in plan.prices]}
