"""Whole quotes against the oracle, and what must not change an amount: order, batches, replay, where an interval is cut.

COREHOUR_EXAMPLES sets how many are tried.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoices.money import parse_decimal, places_of
from invoices.quote import answer, quote_json
from tests.invoices import oracle

START = datetime(2026, 3, 27, tzinfo=UTC)  # A Friday; the clocks of Europe change two days later, those of UTC do not.
EXAMPLES = int(os.environ.get("COREHOUR_EXAMPLES", "300"))
common: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": EXAMPLES <= 300}
many = settings(max_examples=EXAMPLES, **common)
fewer = settings(max_examples=max(60, EXAMPLES // 20), **common)

decimals = st.integers(0, 10**6).map(lambda number: f"{number // 1000}.{number % 1000:03d}")
small = st.integers(0, 40_000).map(lambda number: f"{number // 1000}.{number % 1000:03d}")
positive = st.integers(1, 40_000).map(lambda number: f"{number // 100}.{number % 100:02d}")
shares = st.integers(0, 1000).map(lambda number: f"{number // 1000}.{number % 1000:03d}")


def at(hour: int) -> str:
    return (START + timedelta(hours=hour)).isoformat()


@st.composite
def levels(draw: st.DrawFn, hours: int) -> list[list[str]]:
    records = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, hours - 1))
        records.append([f"{at(start)}/{at(draw(st.integers(start + 1, hours)))}", draw(small)])
    return records


@st.composite
def tiers(draw: st.DrawFn, key: str, numbers: st.SearchStrategy[str]) -> list[dict[str, str]]:
    bounds = sorted(draw(st.sets(st.integers(1, 2000), max_size=4)))
    rows = [{"up_to": str(bound)} for bound in bounds] + [{}]
    return [{**row, key: draw(numbers), "flat": draw(small)} for row in rows]


@st.composite
def of_model(draw: st.DrawFn, model: str, hours: int) -> dict[str, Any]:
    match model:
        case "package":
            return {"package_size": draw(positive), "package_price": draw(decimals)}
        case "graduated" | "volume":
            return {"tiers": draw(tiers("unit_price", decimals)), "flat_when_zero": draw(st.booleans())}
        case "graduated_percentage":
            return {"tiers": draw(tiers("rate", shares)), "flat_when_zero": draw(st.booleans())}
        case "time_of_use":
            start, end = sorted(draw(st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True)))
            days = sorted(draw(st.sets(st.integers(1, 7), min_size=1)))
            window = {"days": days, "from": f"{start:02}:00", "to": f"{end:02}:00", "unit_price": draw(decimals)}
            return {"unit_price": draw(decimals), "windows": [window]}
        case "spot_series":
            changes = sorted(draw(st.sets(st.integers(1, hours - 1), max_size=5)))
            return {"series": [[at(hour), draw(decimals)] for hour in (-1, *changes)]}
        case "reserved":
            return {"reserved": draw(positive), "unit_price": draw(decimals), "overage_price": draw(decimals)}
    return {"unit_price": draw(decimals)}


CONVERTED = ("per_unit", "graduated", "volume", "package", "graduated_percentage")


@st.composite
def prices(draw: st.DrawFn, meter: str, hours: int, *, counting_on: bool) -> dict[str, Any]:
    timed = ("time_of_use", "spot_series") + (("reserved",) if meter != "network_out" else ())
    model = draw(st.sampled_from(CONVERTED if counting_on else CONVERTED + timed))
    price: dict[str, Any] = {"meter": meter, "model": model, **draw(of_model(model, hours))}
    if model in CONVERTED:
        extra = {
            "included": small,
            "divide_by": st.sampled_from(["1", "2", "3", "1000", "0.5"]),
            "round": st.sampled_from(["up", "down", "none"]),
        }
        price |= draw(st.fixed_dictionaries({}, optional=extra))
        if not counting_on:
            aggregation = st.sampled_from(["sum", "time_average", "max", "p95"])
            price |= draw(st.fixed_dictionaries({}, optional={"aggregation": aggregation}))
    bounds = sorted(draw(st.lists(decimals, min_size=2, max_size=2)), key=float)
    price |= {"minimum": bounds[0]} if draw(st.booleans()) else {}
    return price | ({"maximum": bounds[1]} if draw(st.booleans()) else {})


@st.composite
def percentages(draw: st.DrawFn) -> dict[str, Any]:
    extra = {"fixed": small, "free_events": st.integers(0, 4), "free_amount": decimals}
    return {"meter": "charges", "model": "percentage", "rate": draw(shares), **draw(st.fixed_dictionaries({}, optional=extra))}


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    hours = draw(st.integers(30, 80))
    counting_on = draw(st.booleans())
    meters = (
        ["cpu"] if counting_on else draw(st.lists(st.sampled_from(["cpu", "memory", "network_out"]), unique=True, max_size=3))
    )
    rows = [draw(prices(meter, hours, counting_on=counting_on)) for meter in meters]
    usage: dict[str, Any] = {meter: draw(levels(hours)) for meter in meters}
    if not counting_on and draw(st.booleans()):
        rows.append(draw(percentages()))
        usage["charges"] = [[at(hour), draw(positive)] for hour in range(draw(st.integers(0, 5)))]
    if not rows or draw(st.booleans()):
        rows.append({"model": "flat", "unit_price": draw(decimals)})
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    whole = st.integers(0, 300).map(str)
    below = {
        "discounts": st.lists(st.fixed_dictionaries({"rate": shares}) | st.fixed_dictionaries({"fixed": whole}), max_size=3),
        "taxes": st.lists(st.fixed_dictionaries({"rate": shares}), max_size=2),
        "credits": st.lists(whole, max_size=2),
        "commitment": decimals,
    }
    document = {"currency": currency, "period": {"start": at(0), "end": at(hours)}, "prices": rows, "usage": usage}
    document |= {"prior_quantity": draw(decimals)} if counting_on else {}
    return document | draw(st.fixed_dictionaries({}, optional=below)), hours


def outcome(document: dict[str, Any]) -> tuple[list[int], int]:
    quote = quote_json(answer(document))
    places = places_of(document["currency"])
    amounts = [parse_decimal(line["amount"], places) for line in quote["lines"]]
    return [amount for amount in amounts if amount], parse_decimal(quote["total"], places)


@given(documents())
@many
def test_every_quote_agrees_with_the_oracle(case: tuple[dict[str, Any], int]) -> None:
    document, hours = case

    assert outcome(document) == oracle.quote(document, hours, places_of(document["currency"]))


@given(documents(), st.randoms(use_true_random=False))
@fewer
def test_neither_order_nor_replay_changes_a_quote(case: tuple[dict[str, Any], int], random: Any) -> None:
    document, _ = case
    levels_only = {meter: records for meter, records in document["usage"].items() if meter != "charges"}
    shuffled = {**document["usage"], **{meter: random.sample(records, len(records)) for meter, records in levels_only.items()}}

    assert outcome({**document, "usage": shuffled}) == outcome(document) == outcome(document)


@given(documents(), st.integers(1, 3_599_999), st.integers(0, 3))
@fewer
def test_cutting_an_interval_anywhere_changes_no_quote(case: tuple[dict[str, Any], int], cut_ms: int, which: int) -> None:
    document, _ = case
    usage = {
        meter: [part for n, record in enumerate(records) for part in halves(record, cut_ms, n == which)]
        for meter, records in document["usage"].items()
        if meter != "charges"
    }
    usage = document["usage"] | usage

    assert outcome({**document, "usage": usage}) == outcome(document)


def halves(record: list[str], cut_ms: int, cut: bool) -> list[list[str]]:
    """The same level in two records that meet somewhere in its first hour."""
    start, end = record[0].split("/")
    middle = (datetime.fromisoformat(start) + timedelta(milliseconds=cut_ms)).isoformat()
    return [[f"{start}/{middle}", record[1]], [f"{middle}/{end}", record[1]]] if cut else [record]


@given(documents())
@fewer
def test_levels_in_batches_of_half_their_height_change_no_quote(case: tuple[dict[str, Any], int]) -> None:
    document, _ = case
    doubled = {meter: [[s, str(2 * parse_decimal(q, 3))] for s, q in rows] for meter, rows in document["usage"].items()}
    twice = {meter: [[s, str(parse_decimal(q, 3))] for s, q in rows for _ in (0, 1)] for meter, rows in document["usage"].items()}
    keep = {meter: rows for meter, rows in document["usage"].items() if meter == "charges"}

    assert outcome({**document, "usage": {**twice, **keep}}) == outcome({**document, "usage": {**doubled, **keep}})
