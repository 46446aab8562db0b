"""What a plan version says, as values the rater reads: prices, tiers, units. Exact fractions of major units. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType

from usage.meters import BYTES, METERS, MIB_MS, MIB_PER_GIB
from usage.periods import Period

GIB = 2**30
MBIT_S_HOUR = 10**6 // 8 * 3600  # Bytes in an hour of 1 Mbit/s, which is a level: for a peak or a 95th percentile.


class Model(StrEnum):
    """How a quantity becomes an amount."""

    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"
    FLAT = "flat"
    SAMPLE_TARIFF = "sample_tariff"
    PERCENTAGE = "percentage"
    GRADUATED_PERCENTAGE = "graduated_percentage"
    TIME_OF_USE = "time_of_use"
    SPOT_SERIES = "spot_series"
    RESERVED = "reserved"


class Proration(StrEnum):
    """What a flat fee costs where its plan holds for a part of the period."""

    NONE = "none"
    DAY = "day"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class TierTerms:
    """Units above the tier before and up to `up_to`, which still belongs to it; None is without end."""

    up_to: Fraction | None
    unit_price: Fraction
    flat: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """One price: one line on the invoice. Quantities in `unit`, prices in major units of the plan's currency."""

    position: int
    name: str
    model: Model
    meter: str = ""
    unit: str = ""
    unit_price: Fraction = Fraction(0)
    tiers: tuple[TierTerms, ...] = ()
    package_size: Fraction = Fraction(1)
    included: Fraction = Fraction(0)
    flat_when_zero: bool = False
    proration: Proration = Proration.DAY
    selector: str = ""


@dataclass(frozen=True, slots=True)
class VersionTerms:
    """A plan version as published: its prices in their order."""

    plan_code: str
    plan_name: str
    number: int
    currency: str
    effective_from: datetime
    prices: tuple[PriceTerms, ...]


# The further units that a meter may be priced in, beside its own of usage/meters.py; None is per month, see per_unit().
_MORE_UNITS: Mapping[str, Mapping[str, int | None]] = MappingProxyType(
    {MIB_MS: MappingProxyType({"GiB-month": None}), BYTES: MappingProxyType({"GiB": GIB, "Mbit/s": MBIT_S_HOUR})}
)


def units_of(meter: str) -> tuple[str, ...]:
    """Return the units that a meter may be priced in, its own first."""
    known = METERS[meter]
    return (known.unit, *_MORE_UNITS.get(known.base, {}))


def per_unit(meter: str, unit: str, period: Period) -> int:
    """Return how many base units make one unit. A GiB-month is a GiB held for the whole period, 23-hour days and all."""
    known = METERS[meter]
    if unit == known.unit:
        return known.per_unit
    size = _MORE_UNITS[known.base][unit]
    return MIB_PER_GIB * period.length_ms if size is None else size
