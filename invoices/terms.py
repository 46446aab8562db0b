"""What a plan version says, as values the rater reads: prices, tiers, units. Exact fractions of major units. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType

from usage.meters import BYTES, CORE_MS, METERS, MIB_MS, MIB_PER_GIB
from usage.periods import Period, from_ms

GIB = 2**30
MBIT_S_HOUR = 10**6 // 8 * 3600  # Bytes in an hour of 1 Mbit/s, which is a level: for a peak or a 95th percentile.
ZERO = Fraction(0)
ONE = Fraction(1)


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


TIERED = frozenset({Model.GRADUATED, Model.VOLUME, Model.GRADUATED_PERCENTAGE})


class Proration(StrEnum):
    """What a fee, a minimum or a level costs where it holds for a part of the period."""

    NONE = "none"
    DAY = "day"
    SECOND = "second"


class Aggregation(StrEnum):
    """What is made of the usage of a period before it is priced."""

    SUM = "sum"
    TIME_AVERAGE = "time_average"
    MAX = "max"
    P95 = "p95"


class Per(StrEnum):
    """Whose usage is added up before it is priced."""

    CUSTOMER = "customer"
    MACHINE = "machine"


class Rounding(StrEnum):
    """What becomes of a part of a unit after conversion."""

    NONE = "none"
    UP = "up"
    DOWN = "down"


class TierWindow(StrEnum):
    """How long tiers, allowances and packages go on counting."""

    PERIOD = "period"
    YEAR = "year"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True)
class TierTerms:
    """Units above the tier before and up to `up_to`, which still belongs to it; None is without end."""

    up_to: Fraction | None
    unit_price: Fraction
    flat: Fraction = ZERO


@dataclass(frozen=True, slots=True)
class Window:
    """Local wall clock [from_ms, to_ms) since midnight on ISO weekdays. Past midnight it belongs to the day it began."""

    name: str
    days: frozenset[int]
    from_ms: int
    to_ms: int
    unit_price: Fraction


@dataclass(frozen=True, slots=True)
class Demand:
    """The price times utilisation / target, between floor and cap. `loads` are (epoch ms, share), in force until the next."""

    target: Fraction
    floor: Fraction
    cap: Fraction
    loads: tuple[tuple[int, Fraction], ...] = ()

    def multiplier(self, share: Fraction) -> Fraction:
        """What a utilisation makes of the price."""
        return max(self.floor, min(self.cap, Fraction(share, self.target)))


@dataclass(frozen=True, slots=True)
class PriceTerms:
    """One price: one line on the invoice, or one for each window. Quantities in `unit`, prices in major units.

    Where the model is a percentage `unit_price` is its rate. `active` is [start, end) in epoch ms, None without an edge.
    """

    position: int
    name: str
    model: Model
    meter: str = ""
    unit: str = ""
    unit_price: Fraction = ZERO
    tiers: tuple[TierTerms, ...] = ()
    package_size: Fraction = ONE
    included: Fraction = ZERO
    flat_when_zero: bool = False
    proration: Proration = Proration.DAY
    selector: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    divide_by: Fraction = ONE
    rounding: Rounding = Rounding.NONE
    minimum: Fraction = ZERO
    maximum: Fraction | None = None
    aggregation: Aggregation = Aggregation.SUM
    per: Per = Per.CUSTOMER
    tier_window: TierWindow = TierWindow.PERIOD
    windows: tuple[Window, ...] = ()
    series: tuple[tuple[int, Fraction], ...] = ()
    market: str = ""
    demand: Demand | None = None
    active: tuple[int | None, int | None] = (None, None)
    fixed: Fraction = ZERO
    free_events: int | None = None
    free_amount: Fraction | None = None
    reserved: Fraction = ZERO
    overage_price: Fraction = ZERO
    bucket_ms: int = 0
    in_advance: bool = False

    @property
    def is_level(self) -> bool:
        """Whether it prices a height, such as cores or Mbit/s, and not a quantity."""
        return self.aggregation is not Aggregation.SUM

    @property
    def is_peak(self) -> bool:
        """Whether it prices one height out of many."""
        return self.aggregation in (Aggregation.MAX, Aggregation.P95)

    @property
    def reserves_level(self) -> bool:
        """Whether what is reserved is held hour by hour, as cores are, and not a quantity of the period."""
        return (
            self.model is Model.RESERVED
            and not self.is_level
            and self.meter in METERS
            and METERS[self.meter].base in (CORE_MS, MIB_MS)
        )

    @property
    def needs_time(self) -> bool:
        """Whether a total is not enough, because it matters when something was used."""
        return (
            self.model in (Model.TIME_OF_USE, Model.SPOT_SERIES)
            or self.reserves_level
            or self.is_peak
            or self.demand is not None
            or self.active != (None, None)
        )

    @property
    def needs_more_than_sums(self) -> bool:
        """Whether the sum of each class of machines is not enough to price it."""
        return self.needs_time or bool(self.labels) or self.per is Per.MACHINE or self.tier_window is not TierWindow.PERIOD

    @property
    def shown_unit(self) -> str:
        """The unit that a line is printed in: cores where the height of core-hours is priced."""
        return _LEVEL_NAMES.get(self.unit, self.unit) if self.is_level else self.unit

    @property
    def base_unit(self) -> str:
        """What a line's whole quantity counts. A level and a custom meter have no base unit, so they are kept in millionths."""
        if self.model is Model.FLAT:
            return ""
        return METERS[self.meter].base if self.meter in METERS and not self.is_level else f"1e-6 {self.shown_unit}"[:20]

    @property
    def selects(self) -> int:
        """How many properties of a machine it asks for."""
        return len(self.labels) + bool(self.selector)

    def active_in(self, span: Period) -> Period | None:
        """Return the part of a span in which the price holds."""
        start_ms, end_ms = self.active
        start = span.start if start_ms is None else max(span.start, from_ms(start_ms))
        end = span.end if end_ms is None else min(span.end, from_ms(end_ms))
        return Period(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class VersionTerms:
    """A plan version as published: its prices in their order, and the least that a period comes to."""

    plan_code: str
    plan_name: str
    number: int
    currency: str
    effective_from: datetime
    prices: tuple[PriceTerms, ...]
    commitment: Fraction = ZERO


# The further units that a meter may be priced in, beside its own of usage/meters.py; None is per month, see per_unit().
_MORE_UNITS: Mapping[str, Mapping[str, int | None]] = MappingProxyType(
    {MIB_MS: MappingProxyType({"GiB-month": None}), BYTES: MappingProxyType({"GiB": GIB, "Mbit/s": MBIT_S_HOUR})}
)
LEVEL_UNITS = frozenset({"Mbit/s"})
_LEVEL_NAMES: Mapping[str, str] = MappingProxyType(
    {"core-hour": "core", "GiB-hour": "GiB", "GiB-month": "GiB", "GB": "GB/h", "GiB": "GiB/h"}
)


def units_of(meter: str) -> tuple[str, ...]:
    """Return the units that a meter may be priced in, its own first."""
    known = METERS[meter]
    return (known.unit, *_MORE_UNITS.get(known.base, {}))


def per_unit(meter: str, unit: str, period: Period) -> int:
    """Return how many base units make one unit. A GiB-month is a GiB held for the whole period, 23-hour days and all.

    A custom meter has no base unit: its quantities are in its unit.
    """
    known = METERS.get(meter)
    if known is None:
        return 1
    if unit == known.unit:
        return known.per_unit
    size = _MORE_UNITS[known.base][unit]
    return MIB_PER_GIB * period.length_ms if size is None else size


def per_level_hour(meter: str, unit: str) -> int:
    """Return how many base units an hour at a level of one makes: a core, a GiB, a GB an hour, a Mbit/s."""
    known = METERS.get(meter)
    return 1 if known is None else _MORE_UNITS.get(known.base, {}).get(unit) or known.per_unit
