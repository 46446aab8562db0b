"""What one quantity costs under one price: a function per price model, each answering with its steps. Pure and exact."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from zoneinfo import ZoneInfo

from invoices.terms import ONE, ZERO, Model, PriceTerms, Proration, Rounding, TierTerms
from usage.periods import Period, days_of


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a line's arithmetic: (quantity x unit_price + flat) x share, in major units.

    `above` and `up_to` bound the tier: units above the one, up to and with the other. `label` says what else it is.
    """

    quantity: Fraction
    unit_price: Fraction
    flat: Fraction = ZERO
    above: Fraction = ZERO
    up_to: Fraction | None = None
    label: str = ""
    share: Fraction = ONE

    @property
    def exact(self) -> Fraction:
        """The step's amount before rounding."""
        return (self.quantity * self.unit_price + self.flat) * self.share


def total(steps: Iterable[Step]) -> Fraction:
    """Return what steps come to."""
    return sum((step.exact for step in steps), ZERO)


def charge(price: PriceTerms, quantity: Fraction, prior: Fraction | None = None) -> tuple[Step, ...]:
    """Return the steps of a quantity in the price's unit. With what was used before in the tier window: f(all) - f(prior)."""
    if prior is None:
        return _STEPS[price.model](price, chargeable(price, quantity))
    return _less(
        _STEPS[price.model](price, chargeable(price, prior + quantity)), _STEPS[price.model](price, chargeable(price, prior))
    )


def converted(price: PriceTerms, quantity: Fraction) -> Fraction:
    """Return a quantity divided, and then rounded to whole units where the price says so."""
    value = Fraction(quantity, price.divide_by)
    if price.rounding is Rounding.NONE:
        return value
    return Fraction(value.__ceil__() if price.rounding is Rounding.UP else value.__floor__())


def chargeable(price: PriceTerms, quantity: Fraction) -> Fraction:
    """Return what is left of a quantity once converted and once what is included is taken off."""
    return max(converted(price, quantity) - price.included, ZERO)


def included_left(price: PriceTerms, prior: Fraction | None) -> Fraction:
    """Return what is still included after what was used before."""
    return max(price.included - (ZERO if prior is None else converted(price, prior)), ZERO)


def in_turn(price: PriceTerms, pieces: Sequence[tuple[Fraction, Fraction]], free: Fraction) -> tuple[tuple[Step, ...], Fraction]:
    """Return the steps of (quantity, unit price) pieces, and what is left of the free quantity, which the first ones use up.

    Pieces of one price make one step.
    """
    at_price: dict[Fraction, Fraction] = {}
    for quantity, unit_price in pieces:
        value = converted(price, quantity)
        taken = min(free, value)
        free -= taken
        at_price[unit_price] = at_price.get(unit_price, ZERO) + value - taken
    return tuple(Step(quantity, unit_price) for unit_price, quantity in at_price.items()), free


def percentage(price: PriceTerms, amounts: Sequence[Fraction], prior: Fraction | None = None) -> tuple[Step, ...]:
    """A rate on what the events come to, and a fee for each, but for those that are free: whichever limit is reached first."""
    if not price.fixed and price.free_events is None and price.free_amount is None:
        return charge(price, sum(amounts, ZERO), prior)
    free, free_events = _free_part(price, [Fraction(amount, price.divide_by) for amount in amounts])
    left = max(converted(price, sum(amounts, ZERO)) - free - price.included, ZERO)
    fee = (Step(Fraction(len(amounts) - free_events), price.fixed, label="events"),) if price.fixed else ()
    return (Step(left, price.unit_price), *fee)


def _free_part(price: PriceTerms, amounts: Sequence[Fraction]) -> tuple[Fraction, int]:
    """Return the free amount and how many events are wholly free."""
    if price.free_events is None and price.free_amount is None:
        return ZERO, 0
    free, events = ZERO, 0
    for amount in amounts[: price.free_events]:
        left = amount if price.free_amount is None else min(amount, price.free_amount - free)
        free += left
        if left < amount:
            break
        events += 1
    return free, events


def reserved(price: PriceTerms, held: Fraction, above: Fraction, share: Fraction = ONE) -> tuple[Step, ...]:
    """What is reserved is due in full, used or not; what is used above it has a price of its own."""
    steps = (Step(held, price.unit_price, label="reserved", share=share),)
    return (*steps, Step(above, price.overage_price, label="above", share=share)) if above else steps


def capped(price: PriceTerms, steps: tuple[Step, ...], room: Fraction | None) -> tuple[Step, ...]:
    """Return the steps, with one that takes off what is above the room that the price's maximum leaves."""
    excess = ZERO if room is None else total(steps) - room
    return (*steps, Step(ZERO, ZERO, flat=-excess, label="maximum")) if excess > 0 else steps


def flat_fee(price: PriceTerms, part: Period, whole: Period, zone: ZoneInfo) -> tuple[Step, ...]:
    """Return the fee of a part of a period: one step whose quantity is the share of the whole fee."""
    return (Step(share_of(price.proration, part, whole, zone), price.unit_price),)


def shared(steps: tuple[Step, ...], share: Fraction) -> tuple[Step, ...]:
    """Return steps of a price that holds for a share of the period."""
    return steps if share == 1 else tuple(replace(step, share=share) for step in steps)


def per_unit(price: PriceTerms, quantity: Fraction) -> tuple[Step, ...]:
    """Every unit at one price."""
    return (Step(quantity, price.unit_price),)


def graduated(price: PriceTerms, quantity: Fraction) -> tuple[Step, ...]:
    """Each part at its tier's price. A quantity equal to a tier's `up_to` still belongs to it."""
    steps = []
    above = ZERO
    for tier in price.tiers:
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if end > above or _due_unused(price, tier, quantity):
            steps.append(_tier_step(tier, end - above, above))
        above = end
    return tuple(steps)


def volume(price: PriceTerms, quantity: Fraction) -> tuple[Step, ...]:
    """The whole quantity at the price of the tier it ends in, and that tier's flat fee alone."""
    above = ZERO
    for tier in price.tiers:
        if tier.up_to is None or quantity <= tier.up_to:
            due = quantity > 0 or _due_unused(price, tier, quantity)
            return (_tier_step(tier, quantity, above),) if due else ()
        above = tier.up_to
    raise ValueError(f"The last tier of {price.name!r} has an end, and {quantity} is above it.")


def package(price: PriceTerms, quantity: Fraction) -> tuple[Step, ...]:
    """Started packages, rounded up."""
    packages = -(-quantity // price.package_size)
    return (Step(Fraction(packages), price.unit_price),)


_STEPS: Mapping[Model, Callable[[PriceTerms, Fraction], tuple[Step, ...]]] = MappingProxyType(
    {
        Model.PER_UNIT: per_unit,
        Model.SAMPLE_TARIFF: per_unit,  # The meter already counts percent once per sample.
        Model.GRADUATED: graduated,
        Model.VOLUME: volume,
        Model.PACKAGE: package,
        Model.PERCENTAGE: per_unit,  # Of a quantity that is an amount.
        Model.GRADUATED_PERCENTAGE: graduated,
    }
)


def _less(after: Sequence[Step], before: Sequence[Step]) -> tuple[Step, ...]:
    """Take steps off others, tier by tier. What comes to nothing falls away."""
    left = {(step.above, step.up_to, step.unit_price): step for step in after}
    for step in before:
        key = (step.above, step.up_to, step.unit_price)
        same = left.get(key, replace(step, quantity=ZERO, flat=ZERO))
        left[key] = replace(same, quantity=same.quantity - step.quantity, flat=same.flat - step.flat)
    return tuple(step for step in left.values() if step.quantity or step.flat)


def _tier_step(tier: TierTerms, quantity: Fraction, above: Fraction) -> Step:
    return Step(quantity, tier.unit_price, tier.flat, above, tier.up_to)


def _due_unused(price: PriceTerms, tier: TierTerms, quantity: Fraction) -> bool:
    """Whether the first tier is due though nothing entered it, for its flat fee."""
    return price.flat_when_zero and quantity == 0 and tier is price.tiers[0]


def share_of(proration: Proration, part: Period, whole: Period, zone: ZoneInfo) -> Fraction:
    """Return which share of the period a part is, by local days or by elapsed time."""
    if proration is Proration.NONE or part == whole:
        return ONE
    if proration is Proration.SECOND:
        return Fraction(part.length_ms, whole.length_ms)
    # A local day belongs to the part that holds its first instant, so parts always add up to the whole.
    starts = [day.start for day in days_of(whole, zone)]
    return Fraction(sum(part.start <= start < part.end for start in starts), len(starts))
