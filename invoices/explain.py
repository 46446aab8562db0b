"""Why a line is what it is, as plain JSON that is stored with it. docs/money.md describes every key. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from invoices.charges import Step
from invoices.levels import Exact
from invoices.money import amount_text, exact_text, round_half_away, rounded_text, shown_text, to_minor
from invoices.takers import Part, Taken
from invoices.terms import Model, Per, PriceTerms, Rounding, TierWindow, VersionTerms, per_level_hour
from usage.meters import METERS, MICRO_PERCENT, MS_PER_HOUR
from usage.periods import Period

if TYPE_CHECKING:  # The rater calls this module with its own values.
    from invoices.rating import Charge

ROUNDING = "half away from zero, once"


def instant_text(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def derivation(charge: Charge, amount_minor: int, zone: ZoneInfo) -> dict[str, Any]:
    """Return everything that leads from the buckets to the printed amount."""
    version, price = charge.part.version, charge.price
    return {
        "model": price.model.value,
        "plan": _plan(version),
        "window": _window(charge.span, zone),
        **(_fee(charge) if price.model is Model.FLAT else _usage(charge)),
        "tiers": [_tier(step, version.currency) for step in charge.steps],
        "exact": exact_text(charge.exact),
        "exact_shown": shown_text(charge.exact, version.currency),
        "amount": amount_text(amount_minor, version.currency),
        "currency": version.currency,
        "rounding": ROUNDING,
    }


def true_up(part: Part, span: Period, minimum: Fraction, printed_minor: int, exact: Fraction, zone: ZoneInfo) -> dict[str, Any]:
    """Return how a minimum and what was printed lead to what is missing."""
    version = part.version
    return {
        "model": "minimum",
        "plan": _plan(version),
        "window": _window(span, zone),
        "minimum": exact_text(minimum),
        "printed": amount_text(printed_minor, version.currency),
        "exact": exact_text(exact),
        "exact_shown": shown_text(exact, version.currency),
        "amount": amount_text(to_minor(exact, version.currency), version.currency),
        "currency": version.currency,
        "rounding": ROUNDING,
    }


def _plan(version: VersionTerms) -> dict[str, Any]:
    return {
        "code": version.plan_code,
        "name": version.plan_name,
        "version": version.number,
        "effective_from": instant_text(version.effective_from),
    }


def _window(span: Period, zone: ZoneInfo) -> dict[str, str]:
    return {
        "start": instant_text(span.start),
        "end": instant_text(span.end),
        "timezone": zone.key,
        "hours": exact_text(Fraction(span.length_ms, MS_PER_HOUR)),
    }


def _fee(charge: Charge) -> dict[str, str]:
    return {"proration": charge.price.proration.value, "share": exact_text(charge.steps[0].quantity)}


def _usage(charge: Charge) -> dict[str, Any]:
    price = charge.price
    machines = [taken for taken in charge.machines if taken.quantity]
    return {
        "meter": price.meter,
        "unit": price.shown_unit,
        "base_unit": price.base_unit,
        "per_unit": size_json(charge.measured.size),
        "quantity": charge.measured.whole,
        "units": rounded_text(charge.units, 3),
        "included": exact_text(price.included),
        "package_size": exact_text(price.package_size) if price.model is Model.PACKAGE else None,
        "machine_class": price.selector or None,
        **_more(charge),
        "coverage": _coverage(charge, machines),
        "machines": [_machine(charge, taken) for taken in machines],
    }


def _more(charge: Charge) -> dict[str, Any]:
    """What only some prices say."""
    price, before = charge.price, charge.used_before
    row: dict[str, Any] = {"labels": dict(price.labels)} if price.labels else {}
    row |= {"aggregation": price.aggregation.value} if price.is_level else {}
    row |= {"per": price.per.value} if price.per is not Per.CUSTOMER else {}
    row |= {"tier_window": price.tier_window.value} if price.tier_window is not TierWindow.PERIOD else {}
    row |= {"used_before": exact_text(before)} if before is not None else {}
    row |= {"divide_by": exact_text(price.divide_by)} if price.divide_by != 1 else {}
    row |= {"round": price.rounding.value} if price.rounding is not Rounding.NONE else {}
    row |= {"time_window": charge.measured.window_name} if charge.measured.window_name else {}
    return row | _bounds(price)


def _bounds(price: PriceTerms) -> dict[str, Any]:
    """What is free of a percentage, the most that is charged, and between what a price follows demand."""
    row: dict[str, Any] = {"free_events": price.free_events} if price.free_events is not None else {}
    row |= {"free_amount": exact_text(price.free_amount)} if price.free_amount is not None else {}
    row |= {"maximum": exact_text(price.maximum)} if price.maximum is not None else {}
    if (demand := price.demand) is None:
        return row
    return row | {"demand": {name: exact_text(getattr(demand, name)) for name in ("target", "floor", "cap")}}


def size_json(size: Exact) -> int | str:
    """A whole number, or an exact one as text."""
    return int(size) if size == int(size) else exact_text(Fraction(size))


def _tier(step: Step, currency: str) -> dict[str, Any]:
    """Bounds are "above this, up to and with that"; null is without end."""
    row = {
        "above": exact_text(step.above),
        "up_to": None if step.up_to is None else exact_text(step.up_to),
        "quantity": exact_text(step.quantity),
        "units": rounded_text(step.quantity, 3),
        "unit_price": exact_text(step.unit_price),
        "flat": exact_text(step.flat),
        "exact": exact_text(step.exact),
        "exact_shown": shown_text(step.exact, currency),
    }
    row |= {"label": step.label} if step.label else {}
    return row | ({"share": exact_text(step.share)} if step.share != 1 else {})


def _coverage(charge: Charge, machines: list[Taken]) -> dict[str, Any] | None:
    """How much was metered of the time due: of each machine of this line from its creation, in a running span up to now.

    A reading without an interval covers nothing.
    """
    if charge.price.meter not in METERS or METERS[charge.price.meter].base == MICRO_PERCENT:
        return None
    return {
        "covered_ms": sum(taken.machine.covered_ms for taken in machines),
        "period_ms": sum(taken.machine.due_ms for taken in machines),
        "machines": len(machines),
        "buckets": sum(taken.machine.buckets for taken in machines),
    }


def _machine(charge: Charge, taken: Taken) -> dict[str, Any]:
    """One machine's usage in all windows of the price. A level is not the sum of its machines', so units are of usage."""
    machine, price = taken.machine, charge.price
    custom = price.meter not in METERS
    size = per_level_hour(price.meter, price.unit) if price.is_level or custom else charge.measured.size
    return {
        "code": machine.code,
        "name": machine.name,
        "machine_class": machine.machine_class,
        "quantity": round_half_away(Fraction(taken.quantity)),
        "units": rounded_text(Fraction(taken.quantity, size), 3),
        "covered_ms": machine.covered_ms,
        "due_ms": machine.due_ms,
        "buckets": machine.buckets,
    }
