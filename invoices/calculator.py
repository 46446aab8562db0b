"""The calculator on the plan page: what a month of given usage would cost at the prices in force, by the invoice's own rater."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Customer
from invoices.catalogue import LONG_AGO
from invoices.gather import with_recorded
from invoices.metering import UnpricedError
from invoices.parts import Contract
from invoices.plan_fields import PlanFileError
from invoices.quote import Quote, answer
from invoices.terms import Model, VersionTerms
from usage.meters import METERS
from usage.periods import Period, month_of
from usage.units import short_unit


@dataclass(frozen=True, slots=True)
class Field:
    """One number that is asked for: usage of a meter in a month, or a level held through it."""

    meter: str
    name: str
    unit: str
    value: str
    problem: str


@dataclass(frozen=True, slots=True)
class Calculation:
    """What the page shows: the plans to choose from, the numbers asked for, and what they come to."""

    plans: tuple[tuple[str, str], ...]
    plan_code: str
    fields: tuple[Field, ...]
    quote: Quote | None
    problem: str


def calculation(customer: Customer, agreed: Sequence[Contract], asked: Mapping[str, str], at: datetime) -> Calculation | None:
    """Return the calculator for what was typed in, None where the customer has no price in force."""
    in_force = {one.plan_code: version for one in agreed if (version := _in_force(one, at)) is not None}
    if not in_force:
        return None
    code = asked.get("plan", "")
    version = in_force.get(code) or next(iter(in_force.values()))
    typed = {meter: asked.get(meter, "").strip() for meter in _meters(version)}
    usage = {meter: value for meter, value in typed.items() if value}
    quote, where, problem = _quote(customer, version, usage, at) if usage else (None, "", "")
    fields = tuple(
        Field(meter, name, unit, typed[meter], problem if where == f"usage.{meter}" else "")
        for meter, (name, unit) in _meters(version).items()
    )
    plans = tuple((one.plan_code, one.plan_name) for one in in_force.values())
    elsewhere = "" if any(field.problem for field in fields) else problem
    return Calculation(plans, version.plan_code, fields, quote, elsewhere)


def _quote(customer: Customer, version: VersionTerms, usage: Mapping[str, str], at: datetime) -> tuple[Quote | None, str, str]:
    """Return a quote for this month, or where the mistake is and what it is."""
    period = month_of(at, customer.zone)
    document = {"period": {"start": period.start, "end": period.end}, "usage": usage}
    try:
        return answer(document, [_as_of(version, period)], customer.timezone), "", ""
    except PlanFileError as error:
        number = _("Write a number of 0 or more, such as 120 or 0.5.")
        return None, error.where, number if error.where.startswith("usage.") else _("This cannot be calculated here.")
    except UnpricedError:
        return None, "", _("The market’s prices begin later than this month.")


def _as_of(version: VersionTerms, period: Period) -> VersionTerms:
    return replace(with_recorded(version, period), effective_from=LONG_AGO)


def _in_force(contract: Contract, at: datetime) -> VersionTerms | None:
    past = [version for version in contract.versions if version.effective_from <= at]
    return past[-1] if past else None


def _meters(version: VersionTerms) -> dict[str, tuple[str, str]]:
    """Each priced meter with its name and unit, in the plan's order."""
    found: dict[str, tuple[str, str]] = {}
    for price in version.prices:
        if price.model is not Model.FLAT:
            name = METERS[price.meter].name if price.meter in METERS else price.name
            found.setdefault(price.meter, (name, short_unit(price.shown_unit)))
    return found
