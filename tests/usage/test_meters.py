"""Quantities as decimal strings: short, and fine enough to give the base quantity again."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.meters import METERS


@pytest.mark.parametrize(
    ("meter", "base", "text"),
    [
        ("cpu", 0, "0"),
        ("cpu", 3_600_000, "1"),
        ("cpu", 900_000, "0.25"),
        ("cpu", 1_200_000, "0.333333333333"),
        ("cpu", 2_400_000, "0.666666666667"),
        ("network", 1, "0.000000001"),
        ("memory_percent_samples", 61_200_000, "61.2"),
        ("cpu", 36_000_000_000, "10000"),
    ],
)
def test_a_quantity_in_its_unit(meter: str, base: int, text: str) -> None:
    assert METERS[meter].in_units(base) == text


@given(meter=st.sampled_from(sorted(METERS)), base=st.integers(0, 2**62))
def test_the_text_gives_the_base_quantity_again(meter: str, base: int) -> None:
    known = METERS[meter]

    assert round(Fraction(known.in_units(base)) * known.per_unit) == base
