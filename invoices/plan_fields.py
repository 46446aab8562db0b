"""Reads one value of a plan document, or says what is wrong with it and where. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

from invoices.money import parse_decimal

Choice = TypeVar("Choice", bound=StrEnum)


class PlanFileError(ValueError):
    """What is wrong with a plan document, and where: `prices[2].tiers[0].up_to: is missing.`"""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where = where


def path(where: str, key: str) -> str:
    """Return the path of a key."""
    return f"{where}.{key}" if where else key


def table(value: object, where: str) -> Mapping[str, Any]:
    """Return a table of keys."""
    if not isinstance(value, Mapping):
        raise PlanFileError(where, "must be a table of keys and values.")
    return value


def only(row: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse a key that nobody would read: a typing error must not become a free meter."""
    for key in row:
        if key not in known:
            raise PlanFileError(path(where, key), f"is not a key here. Known: {', '.join(sorted(known))}.")


def number(row: Mapping[str, Any], key: str, where: str, places: int, default: str | None = None) -> Fraction:
    """Return a number of at most `places` decimals, exactly: from a decimal string or a whole number."""
    value = row.get(key, default)
    if value is None:
        raise PlanFileError(path(where, key), "is missing.")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PlanFileError(path(where, key), 'write a number as a string such as "0.042": a binary fraction is not exact.')
    try:
        scaled = parse_decimal(str(value), places)
    except ValueError as error:
        raise PlanFileError(path(where, key), str(error)) from error
    if not 0 <= scaled < 2**63:
        raise PlanFileError(path(where, key), f"{value} is below zero or too large.")
    return Fraction(scaled, 10**places)


def text(row: Mapping[str, Any], key: str, where: str, longest: int, default: str | None = None) -> str:
    """Return a text; without a default it must not be empty."""
    value = row.get(key, default)
    if value is None:
        raise PlanFileError(path(where, key), "is missing.")
    if not isinstance(value, str) or len(value) > longest or (not value and default is None):
        raise PlanFileError(path(where, key), f"must be a text of 1 to {longest} characters.")
    return value


def flag(row: Mapping[str, Any], key: str, where: str) -> bool:
    """Return a yes or no, no where it is not said."""
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise PlanFileError(path(where, key), "must be true or false.")
    return value


def choice(row: Mapping[str, Any], key: str, where: str, kind: type[Choice], default: Choice | None = None) -> Choice:
    """Return one of a fixed set of words."""
    value = row.get(key, default)
    if value not in list(kind):
        raise PlanFileError(path(where, key), f"{value!r} is none of {', '.join(kind)}.")
    return kind(value)


def instant(row: Mapping[str, Any], key: str) -> datetime | None:
    """Return an instant with its zone, in UTC, or None where it is not said."""
    value = row.get(key)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise PlanFileError(key, f"{value!r} is no instant such as 2026-10-01T00:00:00Z.") from error
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PlanFileError(key, f"{value} is no instant with a zone such as 2026-10-01T00:00:00Z.")
    return value.astimezone(UTC)
