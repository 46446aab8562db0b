"""A recorded series as a meter: an exact integral over time, so that however it is cut into samples, they add up to the same."""

import bisect
import csv
import hashlib
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from statistics import median_low

MICRO = 1_000_000
DAY_MS = 86_400_000
MOST = 10**18
FIRST_YEAR, LAST_YEAR = 1970, 9998


class TraceError(Exception):
    """The file cannot be replayed; the text names file and line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its value in millionths holds from `start_ms` for `duration_ms`."""

    start_ms: int
    duration_ms: int
    micro: int


@dataclass(frozen=True, slots=True)
class Trace:
    """The rows of one file, without holes: each lasts until the next one; the last one as long as most do."""

    rows: tuple[Row, ...]
    digest: str

    @property
    def start_ms(self) -> int:
        return self.rows[0].start_ms

    @property
    def end_ms(self) -> int:
        return self.rows[-1].start_ms + self.rows[-1].duration_ms


@dataclass(frozen=True, slots=True)
class Movement:
    """Lets a row's value sway by up to `percent`: up in one slot, down as far in the next, so the row's sum is untouched."""

    percent: int = 0
    slot_ms: int = 2_000


STILL = Movement()


class Meter:
    """The trace, repeated for ever in both directions, as a running total of whole units.

    Used in [a, b) is total(b) - total(a): rounding happens once, in `total`, so any cut of the same span sums to the same.
    """

    def __init__(self, trace: Trace, amounts: Sequence[int], divisor: int, *, movement: Movement = STILL, most: int = 0) -> None:
        """`amounts`: what each row holds, in 1/divisor units. `most`: the most per ms that a sway may reach, 0 for any."""
        self._rows = trace.rows
        self._starts = [row.start_ms for row in trace.rows]
        self._amounts = amounts
        self._before = list(itertools.accumulate(amounts, initial=0))
        self._divisor = divisor
        self._movement = movement
        self._most = most
        self._length_ms = trace.end_ms - trace.start_ms

    def used(self, start_ms: int, end_ms: int) -> int:
        return self.total(end_ms) - self.total(start_ms)

    def total(self, at_ms: int) -> int:
        """Whole units from the trace's own start to `at_ms`; negative before it. Exact: integers all the way, one floor."""
        rounds, into_ms = divmod(at_ms - self._starts[0], self._length_ms)
        index = bisect.bisect_right(self._starts, self._starts[0] + into_ms) - 1
        row, amount = self._rows[index], self._amounts[index]
        part_ms = self._starts[0] + into_ms - row.start_ms
        before = rounds * self._before[-1] + self._before[index]
        moved_percent_ms = self._sway(index, row, part_ms)
        numerator = 100 * before * row.duration_ms + amount * (100 * part_ms + moved_percent_ms)
        return numerator // (100 * row.duration_ms * self._divisor)

    def _sway(self, index: int, row: Row, part_ms: int) -> int:
        """Percent x ms by which the running total is ahead: climbs in the first slot of a pair, returns to 0 in the second."""
        slot_ms = self._movement.slot_ms
        pair, into_ms = divmod(part_ms, 2 * slot_ms)
        if not self._movement.percent or (pair + 1) * 2 * slot_ms > row.duration_ms:
            return 0
        return self._percent(index, pair, row) * min(into_ms, 2 * slot_ms - into_ms)

    def _percent(self, index: int, pair: int, row: Row) -> int:
        widest = self._movement.percent
        if self._most and self._amounts[index]:
            widest = min(widest, 100 * self._most * row.duration_ms // self._amounts[index] - 100)
        seed = zlib.crc32(f"{index}:{pair}".encode())
        return seed % (2 * widest + 1) - widest if widest > 0 else 0


def cpu_meter(trace: Trace, cores: int, movement: Movement = STILL) -> Meter:
    """Percent of all cores -> core-ms."""
    amounts = [row.micro * cores * row.duration_ms for row in trace.rows]
    return Meter(trace, amounts, 100 * MICRO, movement=movement, most=100 * MICRO * cores)


def bytes_meter(trace: Trace, movement: Movement = STILL) -> Meter:
    """Bytes per row -> bytes."""
    return Meter(trace, [row.micro for row in trace.rows], MICRO, movement=movement)


def level_meter(trace: Trace, size_mib: int, movement: Movement = STILL) -> Meter:
    """Percent of a size in MiB -> MiB x ms."""
    amounts = [row.micro * size_mib * row.duration_ms for row in trace.rows]
    return Meter(trace, amounts, 100 * MICRO, movement=movement, most=100 * MICRO * size_mib)


def constant(micro: int) -> Trace:
    """A value that never changes, in millionths."""
    return Trace((Row(0, DAY_MS, micro),), f"constant {micro}")


def read(path: Path) -> Trace:
    """A CSV file with the columns timestamp (ISO, UTC where no zone is written) and value."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"cannot read {path}: {error}") from error
    lines = csv.reader(text.splitlines())
    if next(lines, None) != ["timestamp", "value"]:
        raise TraceError(f"{path}: the first line must be timestamp,value")
    points = [_point(line, f"{path} line {number}") for number, line in enumerate(lines, 2) if line]
    return Trace(_rows(points, path), hashlib.sha256(text.encode()).hexdigest())


def _rows(points: list[tuple[int, int]], path: Path) -> tuple[Row, ...]:
    if len(points) < 2:
        raise TraceError(f"{path}: a trace needs two lines of data at least")
    durations = [after[0] - before[0] for before, after in itertools.pairwise(points)]
    if min(durations) <= 0:
        raise TraceError(f"{path} line {durations.index(min(durations)) + 3}: times must rise from line to line")
    durations.append(median_low(durations))
    return tuple(Row(start, duration, micro) for (start, micro), duration in zip(points, durations, strict=True))


def _point(line: list[str], where: str) -> tuple[int, int]:
    if len(line) != 2:
        raise TraceError(f"{where}: two columns, please, not {len(line)}")
    try:
        return parse_time(line[0]), micro(line[1])
    except ValueError as error:
        raise TraceError(f"{where}: {error}") from error


def parse_time(text: str) -> int:
    """ISO 8601 to epoch milliseconds; UTC where no zone is written."""
    moment = datetime.fromisoformat(text)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{text} is not a time of the years {FIRST_YEAR} to {LAST_YEAR}")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def micro(text: str) -> int:
    """A decimal number in millionths, rounded half up to the last."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not value.is_finite() or value < 0:
        raise ValueError(f"{text} is not a value of 0 or more")
    if value > MOST:
        raise ValueError(f"{text:.40} is more than a trace may say, {MOST}")
    return int(value * MICRO + Decimal("0.5"))
