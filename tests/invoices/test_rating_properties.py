"""The rater against an independent oracle, and what must not change an amount: order, batches, how often one reports."""

import ast
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import invoices
from invoices.money import places_of
from invoices.rating import MachineUsage, Part, rate
from tests.invoices import oracle
from tests.invoices.rows import BERLIN, OCTOBER, version

HOUR_MS = 3_600_000
EXAMPLES = settings(max_examples=300, deadline=None)

decimals = st.integers(0, 10**6).map(lambda number: f"{number // 1000}.{number % 1000:03d}")
currencies = st.sampled_from(["EUR", "JPY", "KWD"])


@st.composite
def tiers(draw: st.DrawFn) -> list[dict[str, str]]:
    bounds = sorted(draw(st.sets(st.integers(1, 5000), max_size=4)))
    rows = [{"up_to": str(bound)} for bound in bounds] + [{}]
    return [{**row, "unit_price": draw(decimals), "flat": draw(decimals)} for row in rows]


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    model = draw(st.sampled_from(["per_unit", "graduated", "volume", "package"]))
    price: dict[str, Any] = {"model": model, "meter": "cpu", "included": draw(st.sampled_from(["0", "0.5", "100"]))}
    if model == "per_unit":
        return price | {"unit_price": draw(decimals)}
    if model == "package":
        return price | {"package_size": str(draw(st.integers(1, 500))), "package_price": draw(decimals)}
    return price | {"tiers": draw(tiers()), "flat_when_zero": draw(st.booleans())}


quantities = st.lists(st.integers(0, 2000 * HOUR_MS) | st.integers(0, 50).map(lambda n: n * 100 * HOUR_MS), max_size=5)


def _rate(price: dict[str, Any], usage: Sequence[int], currency: str) -> list[tuple[Fraction, int]]:
    machines = [MachineUsage(f"m{index}", {"cpu": quantity}) for index, quantity in enumerate(usage)]
    lines = rate([Part(OCTOBER, version(price, currency=currency), machines)], OCTOBER, BERLIN)
    return [(line.exact, line.amount_minor) for line in lines]


@given(prices(), quantities, currencies)
@EXAMPLES
def test_every_price_model_agrees_with_the_oracle(price: dict[str, Any], usage: list[int], currency: str) -> None:
    expected = oracle.cost(price, Fraction(sum(usage), HOUR_MS))

    lines = _rate(price, usage, currency)

    amount = oracle.rounded(expected, places_of(currency))
    if sum(usage) or amount:
        assert lines == [(expected, amount)]
    else:
        assert lines == []


@given(prices(), quantities, st.randoms(use_true_random=False))
@EXAMPLES
def test_neither_the_order_of_machines_nor_how_usage_is_split_changes_an_amount(
    price: dict[str, Any], usage: list[int], random: Any
) -> None:
    shuffled = random.sample(usage, len(usage))
    halves = [part for quantity in usage for part in (quantity // 2, quantity - quantity // 2)]

    assert _rate(price, shuffled, "EUR") == _rate(price, usage, "EUR") == _rate(price, halves, "EUR")


@given(prices(), st.integers(0, 2000 * HOUR_MS), st.integers(0, 2000 * HOUR_MS))
@EXAMPLES
def test_more_usage_never_costs_less_unless_volume_prices_fall(price: dict[str, Any], usage: int, more: int) -> None:
    if price["model"] == "volume":
        return
    before, after = (sum(exact for exact, _ in _rate(price, [quantity], "EUR")) for quantity in (usage, usage + more))

    assert after >= before or not usage + more


ROOM = Path(invoices.__file__).parent
SHOW_LOADS_AND_WAITS = {"views", "running", "sockets"}  # Cores in use and seconds between pushes: no money, no quantity.
FILES = sorted(path for path in ROOM.rglob("*.py") if path.stem not in SHOW_LOADS_AND_WAITS and "migrations" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_module_about_money_knows_a_binary_fraction(path: Path) -> None:
    tree = ast.parse(path.read_text())

    names = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "float"]
    literals = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)]

    assert names == []
    assert literals == []


JOINS_PATHS_OR_TIMES = {"paper", "load_plan", "compute_invoices", "prices"}
EXACT = [path for path in FILES if path.stem not in JOINS_PATHS_OR_TIMES]


@pytest.mark.parametrize("path", EXACT, ids=lambda path: path.stem)
def test_amounts_are_never_divided_by_the_slash_that_makes_floats(path: Path) -> None:
    tree = ast.parse(path.read_text())

    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)] == []
