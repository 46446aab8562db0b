"""A second opinion on whole quotes, hour by hour, in fractions, sharing no code with the product: UTC, one price a meter."""

from datetime import datetime, timedelta
from fractions import Fraction as F
from math import ceil, floor
from typing import Any

ZERO = F(0)


def rounded(exact: F, places: int) -> int:
    return int(abs(exact) * 10**places + F(1, 2)) * (-1 if exact < 0 else 1)


def cost(price: dict[str, Any], used: F) -> F:
    """What a quantity comes to: converted, less what is included, and priced."""
    left = F({"up": ceil, "down": floor}.get(price.get("round", ""), F)(used / F(price.get("divide_by", 1))))
    left = max(left - F(price.get("included", 0)), ZERO)
    if price["model"] == "package":
        return ceil(left / F(price["package_size"])) * F(price["package_price"])
    if "tiers" not in price:
        return left * F(price["unit_price"])
    total = lower = ZERO
    for tier in price["tiers"]:
        upper = F(tier["up_to"]) if "up_to" in tier else left + lower
        here = left > lower or (left == lower == 0 and price.get("flat_when_zero", False))
        unit, flat = F(tier.get("unit_price", tier.get("rate", 0))), F(tier.get("flat", 0))
        if price["model"] == "volume":
            total += left * unit + flat if here and left <= upper else 0
        else:
            total += (min(left, upper) - lower) * unit + flat if here else 0
        lower = upper
    return total


def percentage(price: dict[str, Any], events: list[F]) -> F:
    """A rate on each event and a fee for it, once so many events or so much were free."""
    total, room, ended = ZERO, F(price.get("free_amount", 10**12)), not {"free_events", "free_amount"} & set(price)
    for number, amount in enumerate(events):
        ended = ended or number >= price.get("free_events", len(events))
        free = ZERO if ended else min(amount, room)
        ended, room = ended or free < amount, room - free
        total += (amount - free) * F(price["rate"]) + (F(price.get("fixed", 0)) if ended else 0)
    return total


def lines_of(price: dict[str, Any], usage: list[Any], hours: int, prior: F | None) -> list[F]:
    """The exact amounts of a price's lines, before its maximum."""
    if price["model"] in ("flat", "percentage"):
        return (
            [F(price["unit_price"])] if "unit_price" in price else [percentage(price, [F(n) for _, n in usage])] if usage else []
        )
    held: dict[datetime, F] = {}
    for span, level in usage:
        at, end = (datetime.fromisoformat(edge) for edge in span.split("/"))
        while at < end:
            held[at] = held.get(at, ZERO) + F(level)
            at += timedelta(hours=1)
    if price["model"] == "time_of_use":
        window, sums = price["windows"][0], [ZERO, ZERO]
        for at, level in held.items():
            outside = at.isoweekday() not in window["days"] or not int(window["from"][:2]) <= at.hour < int(window["to"][:2])
            sums[outside] += level
        return [used * F(rate) for used, rate in zip(sums, (window["unit_price"], price["unit_price"]), strict=True) if used]
    if price["model"] == "spot_series":
        steps = [(datetime.fromisoformat(at), F(number)) for at, number in price["series"]]
        costs = [level * [p for since, p in steps if since <= at][-1] for at, level in held.items()]
        return [sum(costs, ZERO)] if any(held.values()) else []
    if price["model"] == "reserved":
        above = sum((max(level - F(price["reserved"]), ZERO) for level in held.values()), ZERO)
        return [F(price["reserved"]) * hours * F(price["unit_price"]) + above * F(price["overage_price"])]
    used, high = sum(held.values(), ZERO), sorted(held.values(), reverse=True) or [ZERO]
    used = {"time_average": used / hours, "max": high[0], "p95": high[len(held) // 20]}.get(price.get("aggregation", ""), used)
    amount = cost(price, used) if prior is None else cost(price, prior + used) - cost(price, prior)
    return [amount] if any(held.values()) or price.get("flat_when_zero") or amount else []


def missing(least: str, printed: int, places: int) -> int:
    return max(0, rounded(F(least) - F(printed, 10**places), places)) if F(least) else 0


def quote(document: dict[str, Any], hours: int, places: int) -> tuple[list[int], int]:
    """The amounts of all lines and what is to be paid, in minor units. Discounts and taxes are on all lines."""
    amounts: list[int] = []
    for price in document["prices"]:
        room, printed, prior = F(price.get("maximum", 10**15)), 0, document.get("prior_quantity")
        usage = document["usage"].get(price.get("meter"), [])
        for exact in lines_of(price, usage, hours, None if prior is None else F(prior)):
            amounts.append(rounded(min(exact, room), places))
            room, printed = max(room - F(amounts[-1], 10**places), ZERO), printed + amounts[-1]
        amounts.append(missing(price.get("minimum", "0"), printed, places))
    amounts.append(missing(document.get("commitment", "0"), sum(amounts), places))
    left = sum(amounts)
    for discount in document.get("discounts", []):
        fixed = max(0, min(int(discount.get("fixed", 0)) * 10**places, left))
        left -= rounded(F(discount["rate"]) * left, 0) if "rate" in discount else fixed
    left += sum(rounded(F(tax["rate"]) * left, 0) for tax in document.get("taxes", []))
    for credit in document.get("credits", []):
        left -= max(0, min(int(F(credit) * 10**places), left))
    return [amount for amount in amounts if amount], left
