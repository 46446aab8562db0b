"""Reads one value of a plan document, or says what is wrong with it and where. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

from invoices.money import PRICE_PLACES, parse_decimal

Choice = TypeVar("Choice", bound=StrEnum)
LONGEST_NUMBER = 40
LARGEST = 2**63  # What a column holds.
FIRST_YEAR, LAST_YEAR = 1990, 2200


class Billed(StrEnum):
    """When a fee is charged: with the period it is for, or with the one before."""

    ARREARS = "arrears"
    ADVANCE = "advance"


class PlanFileError(ValueError):
    """What is wrong with a plan document, and where: `prices[2].tiers[0].up_to: is missing.`"""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.where, self.problem = where, problem


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
    return decimal(row.get(key, default), path(where, key), places)


def optional(row: Mapping[str, Any], key: str, where: str, places: int) -> Fraction | None:
    """Return the same, or None where it is not said."""
    return None if row.get(key) is None else number(row, key, where, places)


def decimal(value: object, where: str, places: int) -> Fraction:
    """Return one number of 0 or more."""
    if value is None:
        raise PlanFileError(where, "is missing.")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PlanFileError(where, 'write a number as a string such as "0.042": a binary fraction is not exact.')
    if len(str(value)) > LONGEST_NUMBER:
        raise PlanFileError(where, f"has more than {LONGEST_NUMBER} characters.")
    try:
        scaled = parse_decimal(str(value), places)
    except ValueError as error:
        raise PlanFileError(where, str(error)) from error
    if not 0 <= scaled < LARGEST * 10 ** max(0, places - PRICE_PLACES):
        raise PlanFileError(where, f"{value} is below zero or too large.")
    return Fraction(scaled, 10**places)


def rate(value: object, where: str, places: int) -> Fraction:
    """Return a share from 0 to 1, written as a fraction such as "0.19" or as "19%"."""
    if isinstance(value, str) and value.endswith("%"):
        share = Fraction(decimal(value[:-1].strip(), where, places), 100)
    else:
        share = decimal(value, where, places)
    if share > 1:
        raise PlanFileError(where, f'{value} is above one: write 19 percent as "0.19" or "19%".')
    return share


def whole(row: Mapping[str, Any], key: str, where: str, largest: int) -> int | None:
    """Return a whole number of 0 or more, or None where it is not said."""
    value = optional(row, key, where, 0)
    if value is not None and value > largest:
        raise PlanFileError(path(where, key), f"must be at most {largest}.")
    return None if value is None else int(value)


def rows(value: object, where: str, longest: int) -> list[Any]:
    """Return a list with at least one entry."""
    if not isinstance(value, list) or not value:
        raise PlanFileError(where, "must be a list with at least one entry.")
    if len(value) > longest:
        raise PlanFileError(where, f"has {len(value)} entries; at most {longest} are read.")
    return value


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


def instant(row: Mapping[str, Any], key: str, where: str = "") -> datetime | None:
    """Return an instant with its zone, in UTC, or None where it is not said."""
    return None if row.get(key) is None else moment(row[key], path(where, key))


def moment(value: object, where: str) -> datetime:
    """Return one instant in UTC. Times finer than a millisecond do not occur."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise PlanFileError(where, f"{str(value)[:40]!r} is no instant such as 2026-10-01T00:00:00Z.") from error
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise PlanFileError(where, f"{str(value)[:40]} is no instant with a zone such as 2026-10-01T00:00:00Z.")
    try:
        utc = value.astimezone(UTC)
    except OverflowError as error:
        raise PlanFileError(where, f"{value} is beyond the calendar.") from error
    if not FIRST_YEAR <= utc.year <= LAST_YEAR or utc.microsecond % 1000:
        raise PlanFileError(where, f"{value} is not between {FIRST_YEAR} and {LAST_YEAR}, to the millisecond.")
    return utc
