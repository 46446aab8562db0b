"""A process that judges a database by the emitters' records: `python -m benchmarks.verdict FOLDER`. Prints one line.

It sums the records itself, with no code of the product's; only the rows are read through its models.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import django

QUARTER_MS = 900_000
QUANTITIES = ("cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write")
Sums = dict[int, list[int]]


def main(folder: Path) -> None:
    django.setup()
    from django.db.models import Sum

    from usage.audit import checks
    from usage.models import IngestOffset, Machine, RejectedMessage

    records = _read(folder)
    found = {"lost": 0, "not_sent": 0, "other_content": 0, "wrong_quarter_hours": 0, "samples": 0, "quarter_hours": 0}
    for machine in Machine.objects.all():
        for name, count in _machine(machine.pk, records.pop(machine.code, [])).items():
            found[name] += count
    found["lost"] += sum(map(len, records.values()))
    books = IngestOffset.objects.aggregate(
        **{name: Sum(name, default=0) for name in ("stored", "duplicate", "rejected", "skipped")}
    )
    differences = [difference for check in checks() for difference in check.differences]
    rejected = RejectedMessage.objects.count()
    print(json.dumps(found | {"books": books, "rejected": rejected, "audit": differences[:20]}), flush=True)


def _read(folder: Path) -> dict[str, list[str]]:
    """The records' lines by machine."""
    lines: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("record-*")):
        with path.open() as record:
            for line in record:
                machine, rest = line.split(" ", 1)
                lines[machine].append(rest)
    return lines


def _machine(pk: int, lines: list[str]) -> dict[str, int]:
    from usage.models import UsageBucket, UsageSample

    sent = {row[0]: row for row in (tuple(map(int, line.split())) for line in lines)}
    rows = list(UsageSample.objects.filter(machine_id=pk).values_list("seq", "start_ms", "end_ms", *QUANTITIES))
    stored = {row[0]: row for row in rows}
    sums = UsageBucket.objects.filter(machine_id=pk).values_list("start_ms", "covered_ms", "samples", *QUANTITIES)
    found, right = {start: list(amounts) for start, *amounts in sums}, quarters(sent.values())
    return {
        "lost": len(sent.keys() - stored.keys()),
        "not_sent": len(stored.keys() - sent.keys()) + len(rows) - len(stored) + len(lines) - len(sent),
        "other_content": sum(stored[seq] != row for seq, row in sent.items() if seq in stored),
        "wrong_quarter_hours": sum(found.get(at) != right.get(at) for at in found.keys() | right.keys()),
        "samples": len(rows),
        "quarter_hours": len(found),
    }


def quarters(rows: Any) -> Sums:
    """Covered ms, samples and quantities by quarter hour, of rows (seq, start, end, quantities).

    Each part of a sample gets the floor of its share, the last what is left.
    """
    sums: Sums = defaultdict(lambda: [0] * (2 + len(QUANTITIES)))
    for _, start, end, *amounts in rows:
        edges = [start, *range(start - start % QUARTER_MS + QUARTER_MS, end, QUARTER_MS), end]
        left = list(amounts)
        for first, last in zip(edges, edges[1:], strict=False):
            part = left if last == end else [amount * (last - first) // (end - start) for amount in amounts]
            left = [whole - taken for whole, taken in zip(left, part, strict=True)]
            total = sums[first - first % QUARTER_MS]
            for at, amount in enumerate((last - first, int(first == start), *part)):
                total[at] += amount
    return dict(sums)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
