"""One price of a plan document: checked word by word into terms, and written back with the keys of its model. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from invoices import plan_fields as fields
from invoices.money import exact_text
from invoices.plan_fields import PlanFileError, path
from invoices.plan_times import active_of, demand_of, dump_active, dump_demand, dump_series, dump_windows, series_of, windows_of
from invoices.terms import (
    LEVEL_UNITS,
    TIERED,
    ZERO,
    Aggregation,
    Model,
    Per,
    PriceTerms,
    Proration,
    Rounding,
    TierTerms,
    TierWindow,
    units_of,
)
from usage.meters import METERS, MICRO_PERCENT

MOST_TIERS = 100
MOST_LABELS = 20
MOST_EVENTS = 10**9
_COMMON = {"name", "model", "meter", "unit", "active", "proration"}
_METERED = {
    "included", "divide_by", "round", "minimum", "maximum", "aggregation", "per", "tier_window", "selector", "bucket",
}  # fmt: skip
KEYS_OF: Mapping[Model, set[str]] = {
    Model.FLAT: {"unit_price", "billed"},
    Model.PER_UNIT: {"unit_price", "demand"} | _METERED,
    Model.SAMPLE_TARIFF: {"unit_price", "demand"} | _METERED,
    Model.GRADUATED: {"tiers", "flat_when_zero"} | _METERED,
    Model.VOLUME: {"tiers", "flat_when_zero"} | _METERED,
    Model.PACKAGE: {"package_size", "package_price"} | _METERED,
    Model.PERCENTAGE: {"rate", "fixed", "free_events", "free_amount"} | _METERED,
    Model.GRADUATED_PERCENTAGE: {"tiers", "flat_when_zero"} | _METERED,
    Model.TIME_OF_USE: {"unit_price", "windows", "demand"} | _METERED,
    Model.SPOT_SERIES: {"unit_price", "series", "market"} | _METERED,
    Model.RESERVED: {"reserved", "unit_price", "overage_price"} | _METERED - {"included", "divide_by", "round", "tier_window"},
}
ALL_KEYS = {"name", "model", "meter", "unit", "active", "proration"}.union(*KEYS_OF.values())


@dataclass(frozen=True, slots=True)
class Reading:
    """How a document is read: which meters there are besides those that are metered, and how fine its numbers are.

    `custom` None takes any other name for a custom meter. A quote brings its own usage, which may be finer than a quarter
    hour, and may name its fees.
    """

    custom: frozenset[str] | None = frozenset()
    price_places: int = 9
    quantity_places: int = 6
    quote: bool = False


def price_of(row: Mapping[str, Any], index: int, reading: Reading) -> PriceTerms:
    """Return a price, checked. Raise PlanFileError naming the key that is wrong."""
    where = f"prices[{index}]"
    model = fields.choice(row, "model", where, Model)
    fields.only(row, _COMMON | KEYS_OF[model], where)
    meter, unit = _flat_meter(row, where, reading) if model is Model.FLAT else _metered(row, model, where, reading)
    selector, labels = _selector(row.get("selector"), path(where, "selector"))
    price = PriceTerms(
        position=index,
        name=fields.text(row, "name", where, 120, METERS[meter].name if meter in METERS else meter or "Base fee"),
        model=model,
        meter=meter,
        unit=unit,
        unit_price=_unit_price(row, model, where, reading),
        tiers=_tiers(row.get("tiers"), path(where, "tiers"), model, reading) if model in TIERED else (),
        package_size=_above_zero(row, "package_size", where, reading, None if model is Model.PACKAGE else "1"),
        included=fields.number(row, "included", where, reading.quantity_places, "0"),
        flat_when_zero=fields.flag(row, "flat_when_zero", where),
        proration=fields.choice(row, "proration", where, Proration, Proration.DAY),
        selector=selector,
        labels=labels,
        divide_by=_above_zero(row, "divide_by", where, reading, "1"),
        rounding=fields.choice(row, "round", where, Rounding, Rounding.NONE),
        minimum=fields.number(row, "minimum", where, reading.price_places, "0"),
        maximum=fields.optional(row, "maximum", where, reading.price_places),
        aggregation=fields.choice(row, "aggregation", where, Aggregation, Aggregation.SUM),
        per=fields.choice(row, "per", where, Per, Per.CUSTOMER),
        tier_window=fields.choice(row, "tier_window", where, TierWindow, TierWindow.PERIOD),
        windows=windows_of(row, where, reading.price_places) if model is Model.TIME_OF_USE else (),
        series=_series(row, model, where, reading),
        market=fields.text(row, "market", where, 63, ""),
        demand=demand_of(row.get("demand"), path(where, "demand"), reading.quantity_places),
        active=active_of(row.get("active"), path(where, "active")),
        fixed=fields.number(row, "fixed", where, reading.price_places, "0"),
        free_events=fields.whole(row, "free_events", where, MOST_EVENTS),
        free_amount=fields.optional(row, "free_amount", where, reading.quantity_places),
        reserved=_reserved(row, model, where, reading),
        overage_price=_overage(row, model, where, reading),
        bucket_ms=(fields.whole(row, "bucket", where, 15) or 0) * 60_000,
        in_advance=fields.choice(row, "billed", where, fields.Billed, fields.Billed.ARREARS) is fields.Billed.ADVANCE,
    )
    _fit_together(price, where, reading)
    return price


def dump_price(price: PriceTerms) -> dict[str, Any]:
    """Return a price with the keys of its model, numbers as decimal strings."""
    row: dict[str, Any] = {"name": price.name, "model": price.model.value}
    row |= {"meter": price.meter, "unit": price.unit} if price.meter else {}
    row |= _dump_amounts(price)
    row |= _dump_metered(price)
    if price.model is Model.FLAT or price.proration is not Proration.DAY:
        row["proration"] = price.proration.value
    row |= {"billed": fields.Billed.ADVANCE.value} if price.in_advance else {}
    return row | dump_active(price.active)


def _dump_amounts(price: PriceTerms) -> dict[str, Any]:
    match price.model:
        case Model.PACKAGE:
            return {"package_size": exact_text(price.package_size), "package_price": exact_text(price.unit_price)}
        case Model.GRADUATED | Model.VOLUME | Model.GRADUATED_PERCENTAGE:
            key = "rate" if price.model is Model.GRADUATED_PERCENTAGE else "unit_price"
            flat = {"flat_when_zero": True} if price.flat_when_zero else {}
            return {**flat, "tiers": [_dump_tier(tier, key) for tier in price.tiers]}
        case Model.PERCENTAGE:
            return {"rate": exact_text(price.unit_price), **_dump_free(price)}
        case Model.TIME_OF_USE:
            return {"unit_price": exact_text(price.unit_price), "windows": dump_windows(price.windows)}
        case Model.SPOT_SERIES:
            series = {"series": dump_series(price.series)} if price.series else {}
            market = {"market": price.market} if price.market else {}
            return {"unit_price": exact_text(price.unit_price), **series, **market}
        case Model.RESERVED:
            names = ("reserved", "unit_price", "overage_price")
            return {name: exact_text(getattr(price, name)) for name in names}
    return {"unit_price": exact_text(price.unit_price)}


def _dump_free(price: PriceTerms) -> dict[str, Any]:
    row: dict[str, Any] = {"fixed": exact_text(price.fixed)} if price.fixed else {}
    row |= {"free_events": price.free_events} if price.free_events is not None else {}
    return row | ({"free_amount": exact_text(price.free_amount)} if price.free_amount is not None else {})


def _dump_metered(price: PriceTerms) -> dict[str, Any]:
    """The keys that any metered price may have, where they say something."""
    row: dict[str, Any] = {}
    if price.labels:
        row["selector"] = ({"class": price.selector} if price.selector else {}) | dict(price.labels)
    elif price.selector:
        row["selector"] = price.selector
    row |= {"included": exact_text(price.included)} if price.included else {}
    row |= {"divide_by": exact_text(price.divide_by)} if price.divide_by != 1 else {}
    row |= {"round": price.rounding.value} if price.rounding is not Rounding.NONE else {}
    row |= {"minimum": exact_text(price.minimum)} if price.minimum else {}
    row |= {"maximum": exact_text(price.maximum)} if price.maximum is not None else {}
    row |= {"aggregation": price.aggregation.value} if price.is_level else {}
    row |= {"bucket": price.bucket_ms // 60_000} if price.bucket_ms else {}
    row |= {"per": price.per.value} if price.per is not Per.CUSTOMER else {}
    row |= {"tier_window": price.tier_window.value} if price.tier_window is not TierWindow.PERIOD else {}
    return row | dump_demand(price.demand)


def _dump_tier(tier: TierTerms, key: str) -> dict[str, str]:
    row = {key: exact_text(tier.unit_price)}
    row |= {"flat": exact_text(tier.flat)} if tier.flat else {}
    return row if tier.up_to is None else {"up_to": exact_text(tier.up_to), **row}


def _metered(row: Mapping[str, Any], model: Model, where: str, reading: Reading) -> tuple[str, str]:
    meter = fields.text(row, "meter", where, 40)
    if meter not in METERS:
        if reading.custom is not None and meter not in reading.custom:
            raise PlanFileError(path(where, "meter"), f"{meter!r} is not metered. Known: {', '.join(METERS)}.")
        return meter, fields.text(row, "unit", where, 20, "unit")
    if model is Model.SAMPLE_TARIFF and METERS[meter].base != MICRO_PERCENT:
        raise PlanFileError(path(where, "meter"), "a sample tariff prices cpu_percent_samples or memory_percent_samples.")
    unit = fields.text(row, "unit", where, 20, METERS[meter].unit)
    if unit not in units_of(meter):
        raise PlanFileError(path(where, "unit"), f"{meter!r} is priced per {' or '.join(units_of(meter))}, not per {unit!r}.")
    return meter, unit


def _flat_meter(row: Mapping[str, Any], where: str, reading: Reading) -> tuple[str, str]:
    """A flat fee measures nothing. In a quote it may have a name there, to be found by."""
    if reading.quote and (meter := fields.text(row, "meter", where, 40, "")) not in METERS:
        return meter, fields.text(row, "unit", where, 20, "")
    if row.get("meter") or row.get("unit"):
        raise PlanFileError(where, "a flat fee has no meter, unit or selector.")
    return "", ""


def _unit_price(row: Mapping[str, Any], model: Model, where: str, reading: Reading) -> Fraction:
    if model in TIERED:
        return ZERO
    if model is Model.PERCENTAGE:
        return fields.rate(row.get("rate"), path(where, "rate"), reading.price_places)
    key = "package_price" if model is Model.PACKAGE else "unit_price"
    return fields.number(row, key, where, reading.price_places, "0" if model is Model.SPOT_SERIES else None)


def _series(row: Mapping[str, Any], model: Model, where: str, reading: Reading) -> tuple[tuple[int, Fraction], ...]:
    """A spot price carries its own series, or names a market whose prices are recorded as they come."""
    if model is not Model.SPOT_SERIES or (row.get("market") and row.get("series") is None):
        return ()
    return series_of(row.get("series"), path(where, "series"), reading.price_places)


def _tiers(value: object, where: str, model: Model, reading: Reading) -> tuple[TierTerms, ...]:
    if not value:
        raise PlanFileError(where, "this model needs at least one tier.")
    rows = fields.rows(value, where, MOST_TIERS)
    tiers = tuple(
        _tier(fields.table(row, f"{where}[{index}]"), f"{where}[{index}]", model, reading) for index, row in enumerate(rows)
    )
    reached = ZERO
    for index, tier in enumerate(tiers):
        last = index == len(tiers) - 1
        if (tier.up_to is None) != last:
            raise PlanFileError(f"{where}[{index}].up_to", "the last tier has none, every other tier has one.")
        if tier.up_to is not None and tier.up_to <= reached:
            raise PlanFileError(f"{where}[{index}].up_to", "each tier ends above the one before.")
        reached = tier.up_to or reached
    return tiers


def _tier(row: Mapping[str, Any], where: str, model: Model, reading: Reading) -> TierTerms:
    percentage = model is Model.GRADUATED_PERCENTAGE
    fields.only(row, {"up_to", "rate" if percentage else "unit_price", "flat"}, where)
    return TierTerms(
        up_to=fields.optional(row, "up_to", where, reading.quantity_places),
        unit_price=fields.rate(row.get("rate"), path(where, "rate"), reading.price_places)
        if percentage
        else fields.number(row, "unit_price", where, reading.price_places),
        flat=fields.number(row, "flat", where, reading.price_places, "0"),
    )


def _above_zero(row: Mapping[str, Any], key: str, where: str, reading: Reading, default: str | None) -> Fraction:
    size = fields.number(row, key, where, reading.quantity_places, default)
    if not size:
        raise PlanFileError(path(where, key), "must be above zero.")
    return size


def _reserved(row: Mapping[str, Any], model: Model, where: str, reading: Reading) -> Fraction:
    return _above_zero(row, "reserved", where, reading, None) if model is Model.RESERVED else ZERO


def _overage(row: Mapping[str, Any], model: Model, where: str, reading: Reading) -> Fraction:
    """More than was reserved; at the same price where nothing else is said."""
    key = "overage_price" if row.get("overage_price") is not None else "unit_price"
    return fields.number(row, key, where, reading.price_places) if model is Model.RESERVED else ZERO


def _selector(value: object, where: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A machine class, or a table of labels in which `class` is the class."""
    if value is None or isinstance(value, str):
        return fields.text({"selector": value or ""}, "selector", where.rpartition(".")[0], 40, ""), ()
    row = dict(fields.table(value, where))
    if len(row) > MOST_LABELS:
        raise PlanFileError(where, f"has {len(row)} labels; at most {MOST_LABELS} are read.")
    texts = {key: fields.text(row, key, where, 63) for key in row}
    return texts.pop("class", "")[:40], tuple(sorted(texts.items()))


def _fit_together(price: PriceTerms, where: str, reading: Reading) -> None:
    """Refuse keys that say nothing together."""
    for key, wrong, problem in _misfits(price, reading):
        if wrong:
            raise PlanFileError(path(where, key), problem)


def _misfits(price: PriceTerms, reading: Reading) -> tuple[tuple[str, bool, str], ...]:
    metered = price.meter in METERS
    series = price.model is Model.SPOT_SERIES or price.demand is not None
    peak = price.aggregation in (Aggregation.MAX, Aggregation.P95)
    events = bool(price.fixed) or price.free_events is not None
    return (
        ("market", bool(price.market and price.series), "has prices of its own: give either it or a series."),
        ("market", bool(price.market) and reading.quote, "is named by plans: here give the series itself."),
        ("maximum", price.maximum is not None and price.maximum < price.minimum, "is below the minimum."),
        ("unit", price.unit in LEVEL_UNITS and not price.is_level, f"{price.unit} is a level: say max, p95 or time_average."),
        (
            "aggregation",
            price.is_level and metered and METERS[price.meter].base == MICRO_PERCENT,
            "percent per sample has no level: sum is all there is.",
        ),
        ("aggregation", peak and series, "a peak has no price that changes in time."),
        ("fixed" if price.fixed else "free_events", events and (price.is_level or metered), "only a custom meter has events."),
        (
            "tier_window",
            price.tier_window is not TierWindow.PERIOD and (events or price.free_amount is not None),
            "events and free amounts are counted in one period.",
        ),
        ("round", price.rounding is not Rounding.NONE and series, "parts at different prices are not rounded to whole units."),
        ("tier_window", price.tier_window is not TierWindow.PERIOD and price.is_level, "an average or a peak is of one period."),
        ("bucket", bool(price.bucket_ms) and not peak, "is of max and p95 alone."),
        ("bucket", price.bucket_ms not in (0, 300_000, 900_000), "must be 5 or 15."),
        (
            "bucket",
            price.bucket_ms == 300_000 and metered and not reading.quote,
            "usage is kept by the quarter hour: 15.",
        ),
    )
