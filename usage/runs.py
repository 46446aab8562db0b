"""Which sequence numbers of a stream have been received, as sorted half-open runs that never touch. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable


class Runs:
    """Sorted, disjoint, non-adjacent half-open runs [lo, hi)."""

    __slots__ = ("his", "los")

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self.los: list[int] = []
        self.his: list[int] = []
        for lo, hi in sorted(runs):
            self.add(lo, hi)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self.los, seq) - 1
        return at >= 0 and seq < self.his[at]

    def overlaps(self, lo: int, hi: int) -> bool:
        """Whether anything of [lo, hi) has been received."""
        at = bisect_right(self.his, lo)
        return at < len(self.los) and self.los[at] < hi

    def shared(self, lo: int, hi: int) -> int:
        """How much of [lo, hi) has been received."""
        at = bisect_right(self.his, lo)
        total = 0
        while at < len(self.los) and self.los[at] < hi:
            total += min(hi, self.his[at]) - max(lo, self.los[at])
            at += 1
        return total

    def add(self, lo: int, hi: int) -> None:
        """Take in [lo, hi), joining every run that it overlaps or touches."""
        if hi <= lo:
            raise ValueError(f"[{lo}, {hi}) is empty.")
        first = bisect_left(self.his, lo)
        last = bisect_right(self.los, hi)
        if first < last:
            lo, hi = min(lo, self.los[first]), max(hi, self.his[last - 1])
        self.los[first:last], self.his[first:last] = [lo], [hi]

    def pairs(self) -> list[tuple[int, int]]:
        """Return the runs in order."""
        return list(zip(self.los, self.his, strict=True))

    def missing(self) -> list[tuple[int, int]]:
        """Return the holes from 0 to the last run: what was never received."""
        starts = [0, *self.his]
        return [(lo, hi) for lo, hi in zip(starts, self.los, strict=False) if lo < hi]

    @property
    def watermark(self) -> int:
        """The end of the run from 0: every seq below it is stored, so the agent may forget it."""
        return self.his[0] if self.los and self.los[0] == 0 else 0

    @property
    def count(self) -> int:
        """How many sequence numbers have been received."""
        return sum(self.his) - sum(self.los)
