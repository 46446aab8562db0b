"""Usage in its time: cut where a price changes, and read as levels: average, peak, 95th percentile. Pure and exact.

A slot is what was used in [start, end), evenly. One without length is an event: it belongs to what begins at its instant.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import islice
from math import gcd
from typing import NamedTuple, TypeVar

from invoices.terms import Aggregation
from invoices.windows import Timeline
from usage.meters import MS_PER_HOUR
from usage.periods import to_ms

Label = TypeVar("Label")
Exact = int | Fraction
ZERO = Fraction(0)


class Slot(NamedTuple):
    """A quantity in base units used in [start_ms, end_ms)."""

    start_ms: int
    end_ms: int
    quantity: Exact


def sums(slots: Iterable[Slot], timeline: "Timeline[Label]") -> dict[Label, Exact]:
    """Return how much was used under each label. A slot across an edge is split in proportion to time."""
    starts = [start for start, _, _ in timeline]
    total: dict[Label, Exact] = {}
    for slot in slots:
        for label, piece in _pieces(slot, timeline, max(0, bisect_right(starts, slot.start_ms) - 1)):
            total[label] = total.get(label, 0) + piece.quantity
    return total


def within(slots: Iterable[Slot], start_ms: int, end_ms: int) -> list[Slot]:
    """Return the slots of a span, those across its edges cut in proportion to time."""
    inside = []
    for slot in slots:
        if slot.start_ms == slot.end_ms:
            inside += [slot] if start_ms <= slot.start_ms < end_ms else []
        elif start_ms <= slot.start_ms and slot.end_ms <= end_ms:
            inside.append(slot)
        elif (low := max(slot.start_ms, start_ms)) < (high := min(slot.end_ms, end_ms)):
            inside.append(Slot(low, high, _share(slot, low, high)))
    return inside


def before(slots: Iterable[Slot], until: datetime) -> list[Slot]:
    """Return the slots that end by an instant."""
    until_ms = to_ms(until)
    return [slot for slot in slots if slot.end_ms <= until_ms]


def by_label(slots: Iterable[Slot], timeline: "Timeline[Label]") -> dict[Label, list[Slot]]:
    """Return the slots under each label, those across an edge cut."""
    starts = [start for start, _, _ in timeline]
    inside: dict[Label, list[Slot]] = {}
    for slot in slots:
        first = max(0, bisect_right(starts, slot.start_ms) - 1)
        for label, piece in _pieces(slot, timeline, first):
            inside.setdefault(label, []).append(piece)
    return inside


def peak(slots: Sequence[Slot], aggregation: Aggregation, size: int, bucket_ms: int = 0) -> Fraction:
    """Return the highest level, or the one that the top floor(5 %) of all values are above. `size` base units in an hour
    are a level of one; an event counts as what it is. Nothing used is a level of nothing.
    """
    values = sorted(_values(slots, size, bucket_ms), reverse=True)
    left = 0 if aggregation is Aggregation.MAX else sum(weight for _, weight in values) // 20
    for value, weight in values:
        if left < weight:
            return value
        left -= weight
    return ZERO


def over(slots: Sequence[Slot], size: Exact) -> Fraction:
    """Return how many base units were used above a level of `size` base units in an hour. Events are no level: all of them."""
    excess = Fraction(sum(slot.quantity for slot in slots if slot.start_ms == slot.end_ms))
    for start, end, quantity in overlaid([slot for slot in slots if slot.start_ms < slot.end_ms]):
        excess += max(ZERO, quantity - Fraction(size * (end - start), MS_PER_HOUR))
    return excess


def _values(slots: Sequence[Slot], size: int, bucket_ms: int) -> list[tuple[Fraction, int]]:
    """Return (value, how many times): events as they are, levels by the longest step that measures all of them.

    What overlaps in time is added up. Levels of equal length thus count once each.
    """
    events: dict[int, Exact] = {}
    held = []
    for slot in slots:
        if slot.start_ms == slot.end_ms:
            events[slot.start_ms] = events.get(slot.start_ms, 0) + slot.quantity
        else:
            held.append(slot)
    values = [(Fraction(quantity, size), 1) for quantity in events.values()]
    spans = _bucketed(held, bucket_ms) if bucket_ms else overlaid(held)
    step = gcd(*(end - start for start, end, _ in spans)) if spans else 1
    return values + [
        (Fraction(quantity * MS_PER_HOUR, size * (end - start)), (end - start) // step) for start, end, quantity in spans
    ]


def overlaid(slots: Sequence[Slot]) -> list[Slot]:
    """Cut overlapping slots at each other's edges and add up what they share."""
    by_span: dict[tuple[int, int], Exact] = {}
    for slot in slots:
        by_span[slot[:2]] = by_span.get(slot[:2], 0) + slot.quantity
    ordered = sorted(by_span)
    if all(before[1] <= after[0] for before, after in zip(ordered, ordered[1:], strict=False)):
        return [Slot(*span, by_span[span]) for span in ordered]
    edges = sorted({edge for span in ordered for edge in span})
    return [slot for slot in _cut([Slot(*span, quantity) for span, quantity in by_span.items()], edges) if slot is not None]


def _bucketed(slots: Sequence[Slot], bucket_ms: int) -> list[Slot]:
    """What was used in each bucket of the clock that holds any of it."""
    total: dict[int, Exact] = {}
    for slot in slots:
        first = slot.start_ms - slot.start_ms % bucket_ms
        for start in range(first, slot.end_ms, bucket_ms):
            low, high = max(start, slot.start_ms), min(start + bucket_ms, slot.end_ms)
            total[start] = total.get(start, 0) + _share(slot, low, high)
    return [Slot(start, start + bucket_ms, quantity) for start, quantity in sorted(total.items())]


def _cut(slots: Sequence[Slot], edges: Sequence[int]) -> list[Slot | None]:
    """Sum slots between neighbouring edges; None where none reaches. A sweep, as slots may be many: rates add and leave."""
    rates: dict[int, Fraction] = {}
    running: dict[int, int] = {}
    for slot in slots:
        rate = Fraction(slot.quantity, slot.end_ms - slot.start_ms)
        rates[slot.start_ms] = rates.get(slot.start_ms, ZERO) + rate
        rates[slot.end_ms] = rates.get(slot.end_ms, ZERO) - rate
        running[slot.start_ms] = running.get(slot.start_ms, 0) + 1
        running[slot.end_ms] = running.get(slot.end_ms, 0) - 1
    spans: list[Slot | None] = []
    rate, count = ZERO, 0
    for start, end in zip(edges, edges[1:], strict=False):
        rate += rates.get(start, ZERO)
        count += running.get(start, 0)
        spans.append(Slot(start, end, rate * (end - start)) if count else None)
    return spans


def _pieces(slot: Slot, timeline: "Timeline[Label]", first: int) -> Iterator[tuple[Label, Slot]]:
    """Yield the slot's share of each piece of a timeline, from the piece that holds its start."""
    for start, end, label in islice(timeline, first, None):
        if start <= slot.start_ms and (slot.end_ms <= end if slot.start_ms < slot.end_ms else slot.start_ms < end):
            yield label, slot
            return
        low, high = max(start, slot.start_ms), min(end, slot.end_ms)
        if low < high:
            yield label, Slot(low, high, _share(slot, low, high))
        if slot.end_ms <= end:
            return


def _share(slot: Slot, low: int, high: int) -> Exact:
    whole = (low, high) == slot[:2]
    return slot.quantity if whole else Fraction(slot.quantity * (high - low), slot.end_ms - slot.start_ms)
