"""Why a line is what it is, as plain JSON that is stored with it. docs/money.md describes every key. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from invoices.charges import Step
from invoices.money import amount_text, exact_text, rounded_text, shown_text
from invoices.terms import Model
from usage.meters import METERS, MICRO_PERCENT, MS_PER_HOUR

if TYPE_CHECKING:  # The rater calls this module with its own values.
    from invoices.rating import Charge, MachineUsage

ROUNDING = "half away from zero, once"


def instant_text(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def derivation(charge: Charge, amount_minor: int, zone: ZoneInfo) -> dict[str, Any]:
    """Return everything that leads from the buckets to the printed amount."""
    version, price = charge.part.version, charge.price
    return {
        "model": price.model.value,
        "plan": {
            "code": version.plan_code,
            "name": version.plan_name,
            "version": version.number,
            "effective_from": instant_text(version.effective_from),
        },
        "window": _window(charge, zone),
        **(_fee(charge) if price.model is Model.FLAT else _usage(charge)),
        "tiers": [_tier(step, version.currency) for step in charge.steps],
        "exact": exact_text(charge.exact),
        "exact_shown": shown_text(charge.exact, version.currency),
        "amount": amount_text(amount_minor, version.currency),
        "currency": version.currency,
        "rounding": ROUNDING,
    }


def _window(charge: Charge, zone: ZoneInfo) -> dict[str, str]:
    span = charge.part.span
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
    machines = [machine for machine in charge.machines if machine.quantities.get(price.meter, 0)]
    return {
        "meter": price.meter,
        "unit": price.unit,
        "base_unit": METERS[price.meter].base,
        "per_unit": charge.per_unit,
        "quantity": charge.quantity,
        "units": rounded_text(charge.units, 3),
        "included": exact_text(price.included),
        "package_size": exact_text(price.package_size) if price.model is Model.PACKAGE else None,
        "machine_class": price.selector or None,
        "coverage": _coverage(charge, machines),
        "machines": [_machine(charge, machine) for machine in machines],
    }


def _tier(step: Step, currency: str) -> dict[str, Any]:
    """Bounds are "above this, up to and with that"; null is without end."""
    return {
        "above": exact_text(step.above),
        "up_to": None if step.up_to is None else exact_text(step.up_to),
        "quantity": exact_text(step.quantity),
        "units": rounded_text(step.quantity, 3),
        "unit_price": exact_text(step.unit_price),
        "flat": exact_text(step.flat),
        "exact": exact_text(step.exact),
        "exact_shown": shown_text(step.exact, currency),
    }


def _coverage(charge: Charge, machines: list[MachineUsage]) -> dict[str, Any] | None:
    """How much was metered of the time due: of each machine of this line from its creation, in a running span up to now.

    A reading without an interval covers nothing.
    """
    if METERS[charge.price.meter].base == MICRO_PERCENT:
        return None
    return {
        "covered_ms": sum(machine.covered_ms for machine in machines),
        "period_ms": sum(machine.due_ms for machine in machines),
        "machines": len(machines),
        "buckets": sum(machine.buckets for machine in machines),
    }


def _machine(charge: Charge, machine: MachineUsage) -> dict[str, Any]:
    quantity = machine.quantities[charge.price.meter]
    return {
        "code": machine.code,
        "name": machine.name,
        "machine_class": machine.machine_class,
        "quantity": quantity,
        "units": rounded_text(Fraction(quantity, charge.per_unit), 3),
        "covered_ms": machine.covered_ms,
        "due_ms": machine.due_ms,
        "buckets": machine.buckets,
    }
