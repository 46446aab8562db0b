"""Two bills for the same work, one of a machine to which much was done: what may differ, what does, and whether that is all.

CPU and bytes: only what was used in gaps that the agent declares. Memory and disk, which only a running agent can measure: the
time of those gaps and of the time that it declares as bridged by counters.
"""

from typing import Any

from benchmarks.toil import Span, Toil

CALM, STORM = "calm", "storm"
LEAP_MS = 2_000  # The server says the second only, by which a wrong clock is put right, and its answer is under way.
BY_COUNTER = {"CPU": "cpu_ms", "Network in": "net_rx"}
BY_TIME = ("Memory", "Disk")
Known = dict[str, Any]


def found_of(judged: Known, said: Known, toil: Toil, written: dict[str, int]) -> Known:
    """The bills, the declared gaps, and what is not as it should be."""
    gaps: list[Span] = [(gap[0], gap[1]) for gap in said["gaps"]]
    bridged: list[Span] = [(span[0], span[1]) for span in said["bridged"]]
    leaps = undeclared(judged["samples"][STORM], gaps)
    lines = _bill_lines(judged, toil, gaps, bridged, leaps)
    failures = [f"{line['name']} differs by {line['difference']}" for line in lines if line["difference"] != line["declared"]]
    failures += [f"{ms} ms of no sample or of two, and not declared" for ms in leaps if abs(ms) > LEAP_MS]
    failures += [] if judged["stored"] == written else [f"stored {judged['stored']} of {written}"]
    failures += [f"rejected: {judged['rejected']}"] if judged["rejected"] else []
    failures += judged["audit"]
    return {
        "lines": lines,
        "gaps": said["gaps"],
        "bridged": said["bridged"],
        "leaps_ms": [ms for ms in leaps if ms],
        "failed": failures,
    }


def undeclared(samples: list[list[int]], gaps: list[Span]) -> list[int]:
    """Between samples that follow each other: by how much the next one begins after the end, where no gap says so."""
    pairs = [(one[1], other[0]) for one, other in zip(samples, samples[1:], strict=False)]
    return [start - end for end, start in pairs if start != end and (end, start) not in gaps]


def _bill_lines(judged: Known, toil: Toil, gaps: list[Span], bridged: list[Span], leaps: list[int]) -> list[Known]:
    """Each line of both bills in cents, and by how much they differ for what the agent declares."""
    lost = toil.done_within(STORM, gaps)
    calm, storm = judged["samples"][CALM], judged["samples"][STORM]
    longer_ms = (calm[-1][1] - calm[0][0]) - (storm[-1][1] - storm[0][0])  # The agents did not start and end at one instant.
    unmetered_ms = longer_ms + sum(end - start for start, end in [*gaps, *bridged]) + sum(leaps)
    declared = {name: lost[meter] for name, meter in BY_COUNTER.items()} | dict.fromkeys(BY_TIME, unmetered_ms)
    return [_line(name, judged["bills"][CALM][name], judged["bills"][STORM][name], declared[name]) for name in declared]


def _line(name: str, calm: int, storm: int, declared: int) -> Known:
    return {"name": name, CALM: calm, STORM: storm, "difference": calm - storm, "declared": declared}


def lines_of(figures: Known) -> list[str]:
    """For people."""
    made = ["line, in cents: undisturbed, disturbed, difference, what the declared gaps come to"]
    for line in figures["lines"]:
        made.append(f"{line['name']:<12}{line[CALM]:>14,}{line[STORM]:>14,}{line['difference']:>12,}{line['declared']:>12,}")
    made += [
        f"declared gap of {end - start} ms, {start} to {end}: {lost} samples, {why}" for start, end, lost, why in figures["gaps"]
    ]
    bridged = figures["bridged"]
    made.append(f"bridged by counters: {len(bridged)} times, {sum(end - start for start, end in bridged):,} ms in all")
    made.append(f"stamps moved as the clock was put right: {figures['leaps_ms'] or 'never'} ms")
    return [*made, *(figures["failed"] or ["the bills are equal but for what the agent declares"])]
