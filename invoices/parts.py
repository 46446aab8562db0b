"""Cuts a billing period where a subscription starts or ends and where a plan version takes over. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from invoices.terms import VersionTerms
from usage.periods import Period


class NoPriceError(ValueError):
    """A subscription without a published plan version in force: usage nobody could price must not pass unseen."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A subscription in [start, end) with its plan's published versions, earliest first. An end of None goes on."""

    plan_code: str
    start: datetime
    end: datetime | None
    versions: Sequence[VersionTerms]


@dataclass(frozen=True, slots=True)
class Slice:
    """A span of a period in which one version of one plan holds."""

    span: Period
    version: VersionTerms
    since: datetime
    """When the subscription began, from which tiers may count on."""


def slices(contracts: Sequence[Contract], period: Period) -> list[Slice]:
    """Return the slices of a period, by contract and then by time. Raise NoPriceError where no version is in force."""
    return [piece for contract in contracts for piece in _slices_of(contract, period)]


def _slices_of(contract: Contract, period: Period) -> Iterator[Slice]:
    start = max(contract.start, period.start)
    end = period.end if contract.end is None else min(contract.end, period.end)
    if start >= end:
        return
    if not contract.versions or contract.versions[0].effective_from > start:
        raise NoPriceError(f"Plan {contract.plan_code!r} has no published version in force on {start:%Y-%m-%d %H:%M} UTC.")
    ends = [version.effective_from for version in contract.versions[1:]] + [end]
    for version, until in zip(contract.versions, ends, strict=True):
        span = Period(max(version.effective_from, start), min(until, end))
        if span.start < span.end:
            yield Slice(span, version, contract.start)
