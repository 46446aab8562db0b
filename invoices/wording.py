"""Prices in plain words, for the page on which a customer reads what applies to them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from invoices.money import exact_text
from invoices.parts import Contract
from invoices.plan_times import clock_text
from invoices.terms import Aggregation, Model, Per, PriceTerms, Proration, TierWindow, VersionTerms, Window
from usage.units import short_unit


@dataclass(frozen=True, slots=True)
class TierRow:
    """A tier: units above the one bound, up to and with the other; texts as `exact_text` writes them."""

    above: str
    up_to: str | None
    price: str
    flat: str


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One price: what it is for, how it works, and what it is."""

    name: str
    selector: str
    words: str
    unit: str
    per: str
    digits: int
    price: str
    included: str
    tiers: tuple[TierRow, ...]
    windows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VersionRows:
    """A plan version as the page shows it."""

    number: int
    effective_from: datetime
    rows: tuple[PriceRow, ...]


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A subscription: the prices in force, and the published ones still to come."""

    name: str
    current: VersionRows | None
    coming: tuple[VersionRows, ...]
    until: datetime | None


def plan_page(contract: Contract, at: datetime) -> PlanPage:
    """Return what a customer should read of one subscription at an instant."""
    past = [version for version in contract.versions if version.effective_from <= at]
    coming = [version for version in contract.versions if version.effective_from > at]
    ends = contract.end
    return PlanPage(
        name=contract.versions[0].plan_name if contract.versions else contract.plan_code,
        current=_rows(past[-1]) if past else None,
        coming=tuple(_rows(version) for version in coming if ends is None or version.effective_from < ends),
        until=ends,
    )


def _rows(version: VersionTerms) -> VersionRows:
    return VersionRows(version.number, version.effective_from, tuple(_row(price) for price in version.prices))


def _row(price: PriceTerms) -> PriceRow:
    return PriceRow(
        name=price.name,
        selector=price.selector,
        words=words_of(price),
        unit=price.shown_unit,
        per=_per(price),
        digits=2 if price.model in (Model.FLAT, Model.PACKAGE) else 4,
        price=exact_text(price.unit_price),
        included=exact_text(price.included) if price.included else "",
        tiers=tuple(_tiers(price)),
        windows=tuple((_window_words(window), exact_text(window.unit_price)) for window in price.windows),
    )


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HEIGHTS = {
    Aggregation.TIME_AVERAGE: "the month’s average",
    Aggregation.MAX: "the month’s peak",
    Aggregation.P95: "the month’s 95th percentile",
}


def words_of(price: PriceTerms) -> str:
    """Say in a few words how a price works: its model, then what else it asks."""
    return ". ".join([_model_words(price), *_conditions(price)])


def _conditions(price: PriceTerms) -> Iterator[str]:
    if price.is_level:
        yield f"What counts is {_HEIGHTS[price.aggregation]}"
    if price.per is Per.MACHINE:
        yield "Each machine by itself"
    if price.tier_window is not TierWindow.PERIOD:
        yield "Counted through the year" if price.tier_window is TierWindow.YEAR else "Counted through the contract"
    if price.demand is not None:
        low, high = exact_text(price.demand.floor), exact_text(price.demand.cap)
        yield f"Times {low} to {high}, as busy as all machines together are"
    if price.minimum:
        yield f"At least {exact_text(price.minimum)} a month"
    if price.maximum is not None:
        yield f"At most {exact_text(price.maximum)} a month"


def _window_words(window: Window) -> str:
    days = "every day" if len(window.days) == 7 else " ".join(DAYS[day - 1] for day in sorted(window.days))
    return f"{window.name.capitalize()}: {days}, {clock_text(window.from_ms)} to {clock_text(window.to_ms)}"


def _model_words(price: PriceTerms) -> str:
    match price.model:
        case Model.PER_UNIT:
            return f"Every {price.unit} at the same price"
        case Model.GRADUATED:
            return f"Each part of a month’s {price.unit}s at the price of its tier"
        case Model.VOLUME:
            return f"All of a month’s {price.unit}s at the price of the tier that their sum reaches"
        case Model.PACKAGE:
            return f"In packages of {exact_text(price.package_size)} {short_unit(price.unit)}; a started one counts in full"
        case Model.SAMPLE_TARIFF:
            return "Each sample by the percent it read, however long it covers"
        case Model.FLAT:
            return _fee_words(price.proration)
        case _:
            return _further_words(price)


def _further_words(price: PriceTerms) -> str:
    match price.model:
        case Model.TIME_OF_USE:
            return "By the hour of the day in your time zone; outside of what is listed at this price"
        case Model.SPOT_SERIES:
            return "At the price in force at the moment of use; before the first one at this price"
        case Model.RESERVED:
            held, more = exact_text(price.reserved), exact_text(price.overage_price)
            return f"{held} {short_unit(price.shown_unit)} paid for in full; what is above costs {more}"
        case _:
            return "A share of the amount"


def _fee_words(proration: Proration) -> str:
    match proration:
        case Proration.NONE:
            return "A fixed fee, in full for every month that has begun"
        case Proration.DAY:
            return "A fixed fee, by days where the plan holds for a part of the month"
        case Proration.SECOND:
            return "A fixed fee, by seconds where the plan holds for a part of the month"


def _per(price: PriceTerms) -> str:
    match price.model:
        case Model.FLAT:
            return "a month"
        case Model.PACKAGE:
            return "a package"
        case Model.SAMPLE_TARIFF:
            return "a percent and sample"
        case _:
            return f"a {price.shown_unit}"


def _tiers(price: PriceTerms) -> Iterator[TierRow]:
    above = "0"
    for tier in price.tiers:
        up_to = None if tier.up_to is None else exact_text(tier.up_to)
        yield TierRow(above, up_to, exact_text(tier.unit_price), exact_text(tier.flat))
        above = up_to or above
