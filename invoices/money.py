"""Money as whole numbers: minor units for amounts, nano-units for prices, exact fractions between. Pure, no float.

An amount is an integer of the currency's minor unit (cents); a price is an integer of 1e-9 major units per unit of the
meter. What lies between is a `Fraction` of major units, rounded once, by `to_minor`, where a line is printed.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

NANO = 10**9
PRICE_PLACES = 9

# ISO 4217: every currency that has not two decimals.
_PLACES = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,30}))?")
_CODE = re.compile(r"[A-Z]{3}")


def places_of(currency: str) -> int:
    """Return how many decimals the currency's minor unit has: 2 for EUR, 0 for JPY, 3 for KWD."""
    if not _CODE.fullmatch(currency):
        raise ValueError(f"{currency!r} is no ISO 4217 code. An example: EUR.")
    return _PLACES.get(currency, 2)


def round_half_away(value: Fraction) -> int:
    """Round to a whole number; a half goes away from zero, also below zero."""
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return whole if value >= 0 else -whole


def to_minor(exact: Fraction, currency: str) -> int:
    """Round an exact amount in major units to minor units. A line is rounded here and nowhere else."""
    return round_half_away(exact * 10 ** places_of(currency))


def from_minor(amount_minor: int, currency: str) -> Fraction:
    """Return an amount in minor units as an exact amount in major units."""
    return Fraction(amount_minor, 10 ** places_of(currency))


def parse_decimal(text: str, places: int) -> int:
    """Return a decimal string as an integer of 10^-places. Raise ValueError where digits would be lost."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no plain decimal number such as 0.042.")
    sign, whole, fraction = match.group(1), match.group(2), (match.group(3) or "").rstrip("0")
    if len(fraction) > places:
        raise ValueError(f"{text!r} has more than {places} decimals.")
    value = int(whole + fraction.ljust(places, "0"))
    return -value if sign else value


def decimal_text(value: int, places: int, *, at_least: int = 0) -> str:
    """Return an integer of 10^-places as a decimal string, without trailing zeros beyond `at_least` decimals."""
    digits = str(abs(value)).rjust(places + 1, "0")
    whole, fraction = digits[: len(digits) - places], digits[len(digits) - places :]
    fraction = fraction.rstrip("0").ljust(at_least, "0")
    return ("-" if value < 0 else "") + whole + (f".{fraction}" if fraction else "")


def amount_text(amount_minor: int, currency: str) -> str:
    """Return an amount as a decimal string with the currency's decimals: 1240 EUR-cents are "12.40"."""
    places = places_of(currency)
    return decimal_text(amount_minor, places, at_least=places)


def price_text(price_nano: int) -> str:
    """Return a price as a decimal string: 42_000_000 is "0.042"."""
    return decimal_text(price_nano, PRICE_PLACES)


def rounded_text(value: Fraction, places: int) -> str:
    """Return a value rounded to a fixed number of decimals, for display only."""
    return decimal_text(round_half_away(value * 10**places), places, at_least=places)


def exact_text(value: Fraction) -> str:
    """Return a value exactly: as a decimal where it ends, else as numerator/denominator."""
    twos, rest = _split_power(value.denominator, 2)
    fives, rest = _split_power(rest, 5)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    return decimal_text(int(value * 10**places), places)


def shown_text(value: Fraction, currency: str) -> str:
    """Return an exact amount to be read: with at least the currency's decimals, cut after nine with an ellipsis."""
    places = places_of(currency)
    cut = int(value * 10**PRICE_PLACES)
    ends = value * 10**PRICE_PLACES == cut
    text = decimal_text(cut, PRICE_PLACES, at_least=places if ends else PRICE_PLACES)
    return text if ends else f"{text}\N{HORIZONTAL ELLIPSIS}"


def parse_exact(text: str) -> Fraction:
    """Read back what `exact_text` wrote."""
    numerator, slash, denominator = text.partition("/")
    return Fraction(int(numerator), int(denominator)) if slash else Fraction(text)


def spread(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Split an amount in proportion to weights, in whole minor units that add up to it again.

    The largest remainders get the units left over, the earlier of equals first.
    """
    total = sum(weights)
    if total <= 0:
        return [0] * len(weights)
    size = abs(amount_minor)
    parts = [size * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(size * weights[index] % total), index))
    for index in by_remainder[: size - sum(parts)]:
        parts[index] += 1
    return parts if amount_minor >= 0 else [-part for part in parts]


def _split_power(number: int, factor: int) -> tuple[int, int]:
    """Return how often the factor divides the number, and what is left."""
    power = 0
    while number % factor == 0:
        number //= factor
        power += 1
    return power, number
