"""From samples to quarter hours: what each bucket gains. A sample across an edge is split in proportion. Pure."""

from collections.abc import Iterable, Iterator
from operator import add

from usage.periods import BUCKET_MS, bucket_start
from usage.wire import Row

# What a bucket row adds, in order: covered_ms, samples, then the nine quantities of a Row.
Gains = dict[tuple[int, int], list[int]]


def gains(brought: Iterable[tuple[int, Iterable[Row]]]) -> Gains:
    """Return what the rows of each (machine pk, rows) add to each bucket (machine pk, start_ms)."""
    sums: Gains = {}
    for machine, rows in brought:
        inside: dict[int, list[Row]] = {}
        for row in rows:
            start_ms = row[1]
            start = start_ms - start_ms % BUCKET_MS
            if row[2] <= start + BUCKET_MS:
                if start in inside:
                    inside[start].append(row)
                else:
                    inside[start] = [row]
            else:
                for part_start, amounts in split(row):
                    _add(sums, (machine, part_start), amounts)
        for start, together in inside.items():
            _add(sums, (machine, start), _sum(together))
    return sums


def _sum(rows: list[Row]) -> list[int]:
    """What rows that lie inside one bucket add to it."""
    _, starts, ends, *quantities = zip(*rows, strict=True)
    return [sum(ends) - sum(starts), len(rows), *map(sum, quantities)]


def split(row: Row) -> Iterator[tuple[int, list[int]]]:
    """Yield (bucket start, amounts) for a sample that crosses quarter hours.

    Each part gets the floor of its share of every amount, the last part the remainder, so the parts add up exactly.
    The sample itself is counted where it starts.
    """
    length = row.end_ms - row.start_ms
    left = list(row[3:])
    start, counted = row.start_ms, 1
    while start < row.end_ms:
        bucket = bucket_start(start)
        end = min(row.end_ms, bucket + BUCKET_MS)
        part = left if end == row.end_ms else [amount * (end - start) // length for amount in row[3:]]
        yield bucket, [end - start, counted, *part]
        left = [rest - taken for rest, taken in zip(left, part, strict=True)]
        start, counted = end, 0


def _add(sums: Gains, key: tuple[int, int], amounts: list[int]) -> None:
    known = sums.get(key)
    sums[key] = amounts if known is None else list(map(add, known, amounts))
