"""Tables as CSV (RFC 4180) that a spreadsheet cannot mistake for formulas. Pure."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(value: Any) -> Any:
    """Return a cell's value, a text that a spreadsheet would calculate with an apostrophe before it. Numbers stay."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


class _Line:
    """What csv.writer writes to: it hands the line back."""

    def write(self, line: str) -> str:
        return line


def csv_lines(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield the lines of a CSV file, one at a time, so that a long table needs no memory."""
    writer = csv.writer(_Line())
    yield writer.writerow(list(head))
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row])
