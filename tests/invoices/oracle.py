"""A second opinion on every price model, written unit by unit of arithmetic and sharing no code with the product."""

from fractions import Fraction
from typing import Any


def cost(price: dict[str, Any], quantity: Fraction) -> Fraction:
    """Return what a quantity costs, in major units, before rounding."""
    left = quantity - Fraction(price.get("included", "0"))
    left = left if left > 0 else Fraction(0)
    if price["model"] in ("per_unit", "sample_tariff"):
        return left * Fraction(price["unit_price"])
    if price["model"] == "package":
        size, packages = Fraction(price["package_size"]), 0
        while packages * size < left:
            packages += 1
        return packages * Fraction(price["package_price"])
    return _tiered(price, left)


def _tiered(price: dict[str, Any], left: Fraction) -> Fraction:
    lower = Fraction(0)
    total = Fraction(0)
    for tier in price["tiers"]:
        upper = Fraction(tier["up_to"]) if "up_to" in tier else None
        inside = left if upper is None or left < upper else upper
        in_this_tier = left > lower or (left == 0 and lower == 0 and price.get("flat_when_zero", False))
        ends_here = in_this_tier and (upper is None or left <= upper)
        unit_price, flat = Fraction(tier["unit_price"]), Fraction(tier.get("flat", "0"))
        if price["model"] == "graduated" and in_this_tier:
            total += (inside - lower) * unit_price + flat
        if price["model"] == "volume" and ends_here:
            total += left * unit_price + flat
        lower = inside if upper is None else upper
    return total


def rounded(exact: Fraction, places: int) -> int:
    """Round half away from zero by looking at what is left over."""
    scaled = abs(exact) * 10**places
    whole: int = scaled.numerator // scaled.denominator
    whole += 1 if scaled - whole >= Fraction(1, 2) else 0
    return -whole if exact < 0 else whole
