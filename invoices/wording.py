"""Prices in plain words, for the page on which a customer reads what applies to them, in the language that is active."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

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


def plan_words(name: str, version: int) -> str:
    """Name a plan with its version."""
    return _("%(plan)s, version %(version)s") % {"plan": name, "version": version}


DAYS = tuple(map(gettext_noop, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")))
_HEIGHTS = {
    Aggregation.TIME_AVERAGE: gettext_noop("the month’s average"),
    Aggregation.MAX: gettext_noop("the month’s peak"),
    Aggregation.P95: gettext_noop("the month’s 95th percentile"),
}


def words_of(price: PriceTerms) -> str:
    """Say in a few words how a price works: its model, then what else it asks."""
    return ". ".join([_model_words(price), *_conditions(price)])


def _conditions(price: PriceTerms) -> Iterator[str]:
    if price.is_level:
        yield _("What counts is %(height)s") % {"height": _(_HEIGHTS[price.aggregation])}
    if price.per is Per.MACHINE:
        yield _("Each machine by itself")
    if price.tier_window is not TierWindow.PERIOD:
        yield _("Counted through the year") if price.tier_window is TierWindow.YEAR else _("Counted through the contract")
    if price.demand is not None:
        low, high = exact_text(price.demand.floor), exact_text(price.demand.cap)
        yield _("Times %(low)s to %(high)s, as busy as all machines together are") % {"low": low, "high": high}
    if price.minimum:
        yield _("At least %(amount)s a month") % {"amount": exact_text(price.minimum)}
    if price.maximum is not None:
        yield _("At most %(amount)s a month") % {"amount": exact_text(price.maximum)}


def _window_words(window: Window) -> str:
    days = _("every day") if len(window.days) == 7 else " ".join(_(DAYS[day - 1]) for day in sorted(window.days))
    hours = {"name": window.name.capitalize(), "days": days, "start": clock_text(window.from_ms), "end": clock_text(window.to_ms)}
    return _("%(name)s: %(days)s, %(start)s to %(end)s") % hours


def _model_words(price: PriceTerms) -> str:
    match price.model:
        case Model.PER_UNIT:
            return _("Every %(unit)s at the same price") % {"unit": _(price.unit)}
        case Model.GRADUATED:
            return _("Each part of a month’s usage at the price of its tier")
        case Model.VOLUME:
            return _("All of a month’s usage at the price of the tier that its sum reaches")
        case Model.PACKAGE:
            size = {"size": exact_text(price.package_size), "unit": short_unit(price.unit)}
            return _("In packages of %(size)s %(unit)s; a started one counts in full") % size
        case Model.SAMPLE_TARIFF:
            return _("Each sample by the percent it read, however long it covers")
        case Model.FLAT:
            return _fee_words(price.proration)
        case _:
            return _further_words(price)


def _further_words(price: PriceTerms) -> str:
    match price.model:
        case Model.TIME_OF_USE:
            return _("By the hour of the day in your time zone; outside of what is listed at this price")
        case Model.SPOT_SERIES:
            return _("At the price in force at the moment of use; before the first one at this price")
        case Model.RESERVED:
            paid = {
                "held": exact_text(price.reserved),
                "unit": short_unit(price.shown_unit),
                "more": exact_text(price.overage_price),
            }
            return _("%(held)s %(unit)s paid for in full; what is above costs %(more)s") % paid
        case _:
            return _("A share of the amount")


def _fee_words(proration: Proration) -> str:
    match proration:
        case Proration.NONE:
            return _("A fixed fee, in full for every month that has begun")
        case Proration.DAY:
            return _("A fixed fee, by days where the plan holds for a part of the month")
        case Proration.SECOND:
            return _("A fixed fee, by seconds where the plan holds for a part of the month")


def _per(price: PriceTerms) -> str:
    match price.model:
        case Model.FLAT:
            return _("a month")
        case Model.PACKAGE:
            return _("a package")
        case Model.SAMPLE_TARIFF:
            return _("a percent and sample")
        case _:
            return _("a %(unit)s") % {"unit": _(price.shown_unit)}


def _tiers(price: PriceTerms) -> Iterator[TierRow]:
    above = "0"
    for tier in price.tiers:
        up_to = None if tier.up_to is None else exact_text(tier.up_to)
        yield TierRow(above, up_to, exact_text(tier.unit_price), exact_text(tier.flat))
        above = up_to or above
