"""What one quantity costs under one price: a function per price model, each answering with its steps. Pure and exact."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from zoneinfo import ZoneInfo

from invoices.terms import Model, PriceTerms, Proration, TierTerms
from usage.periods import Period, days_of

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a line's arithmetic: quantity x unit_price + flat, in major units.

    `above` and `up_to` bound the tier: units above the one, up to and with the other.
    """

    quantity: Fraction
    unit_price: Fraction
    flat: Fraction = ZERO
    above: Fraction = ZERO
    up_to: Fraction | None = None

    @property
    def exact(self) -> Fraction:
        """The step's amount before rounding."""
        return self.quantity * self.unit_price + self.flat


def charge(price: PriceTerms, quantity: Fraction) -> tuple[Step, ...]:
    """Return the steps of a quantity in the price's unit. What is included comes off first."""
    return _STEPS[price.model](price, max(quantity - price.included, ZERO))


def flat_fee(price: PriceTerms, part: Period, whole: Period, zone: ZoneInfo) -> tuple[Step, ...]:
    """Return the fee of a part of a period: one step whose quantity is the share of the whole fee."""
    return (Step(_share(price.proration, part, whole, zone), price.unit_price),)


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
    }
)


def _tier_step(tier: TierTerms, quantity: Fraction, above: Fraction) -> Step:
    return Step(quantity, tier.unit_price, tier.flat, above, tier.up_to)


def _due_unused(price: PriceTerms, tier: TierTerms, quantity: Fraction) -> bool:
    """Whether the first tier is due though nothing entered it, for its flat fee."""
    return price.flat_when_zero and quantity == 0 and tier is price.tiers[0]


def _share(proration: Proration, part: Period, whole: Period, zone: ZoneInfo) -> Fraction:
    if proration is Proration.NONE or part == whole:
        return Fraction(1)
    if proration is Proration.SECOND:
        return Fraction(part.length_ms, whole.length_ms)
    # A local day belongs to the part that holds its first instant, so parts always add up to the whole.
    starts = [day.start for day in days_of(whole, zone)]
    return Fraction(sum(part.start <= start < part.end for start in starts), len(starts))
