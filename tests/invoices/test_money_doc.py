"""Every example in docs/money.md is computed, and every key of a plan file and of a derivation is in it."""

import json
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from invoices import plan_file, plan_price
from invoices.money import amount_text, spread
from invoices.quote import KEYS, answer, quote_json
from tests.invoices.rows import BERLIN, FEE, OCTOBER, rated
from usage.periods import Period

DOC = (Path(__file__).parents[2] / "docs" / "money.md").read_text()
EXAMPLES = re.findall(r"```example\nprice = (.*)\n((?:usage = .*\n)+)```", DOC)
CASES = [
    (tomllib.loads(f"price = {price}")["price"], *case)
    for price, cases in EXAMPLES
    for case in re.findall(r'usage = "(.*?)"(?: from (\S+))? -> (.*)', cases)
]

QUOTES = re.findall(r"```quote\n(\{.*\})\n-> (.*) = (.*)\n```", DOC)


@pytest.mark.parametrize(("price", "usage", "since", "said"), CASES)
def test_an_example_comes_out_as_the_text_says(price: dict[str, Any], usage: str, since: str, said: str) -> None:
    start = datetime.fromisoformat(since).replace(tzinfo=BERLIN) if since else OCTOBER.start
    used: dict[str, Any] = {price["meter"]: usage} if "meter" in price else {}

    lines = rated(price, span=Period(start, OCTOBER.end), **used)

    assert [amount_text(line.amount_minor, "EUR") for line in lines] == ([] if said == "no line" else [said])


@pytest.mark.parametrize(("document", "lines", "total"), QUOTES)
def test_a_quote_comes_out_as_the_text_says(document: str, lines: str, total: str) -> None:
    october = {"currency": "EUR", "period": {"start": "2026-10-01", "end": "2026-11-01"}}

    quote = quote_json(answer(october | json.loads(document)))

    assert " + ".join(line["amount"] for line in quote["lines"]) == lines
    assert quote["total"] == total


def test_machines_share_a_line_as_the_text_says() -> None:
    [(amount, quantities, shares)] = re.findall(r"```shares\n(\S+) of (.*) -> (.*)\n```", DOC)

    spent = spread(int(amount.replace(".", "")), [int(quantity) for quantity in quantities.split(", ")])

    assert [amount_text(share, "EUR") for share in spent] == shares.split(", ")


def test_the_text_has_examples() -> None:
    assert len(CASES) == DOC.count("usage = ") == 19
    assert len(QUOTES) == DOC.count("```quote") == 29


def test_every_rule_has_a_worked_example() -> None:
    rules = re.split(r"\n\*\*(?=\d+\. )", DOC.partition("## The paper")[0])[1:]

    assert [rule.partition(".")[0] for rule in rules] == [str(number) for number in range(1, 28)]
    assert [rule.partition(".")[0] for rule in rules if "```" not in rule] == []


def test_every_key_of_a_plan_file_is_in_the_text() -> None:
    keys = plan_file.PLAN_KEYS | plan_price.ALL_KEYS

    assert {key for key in keys if f"`{key}`" not in DOC} == set()


def test_every_key_of_a_quote_is_in_the_text() -> None:
    assert {key for key in KEYS if f"`{key}`" not in DOC.partition("## A quote")[2]} == set()


def test_every_key_of_a_derivation_is_in_the_text() -> None:
    usage = rated({"model": "package", "meter": "cpu", "package_size": "1", "package_price": "1"}, cpu="1")[0].derivation
    fee = rated(FEE)[0].derivation

    assert {key for key in {*usage, *fee, *usage["tiers"][0], "days", "first"} - {"currency"} if f"`{key}`" not in DOC} == set()
