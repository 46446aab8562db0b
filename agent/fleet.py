"""Which recorded machines to replay: from a fleet file, or the one that the command line describes in the same words."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.config import CODE, CODE_WORDS, ConfigError
from agent.recorded import Recorded
from agent.samples import Host
from agent.trace import (
    MICRO,
    STILL,
    Meter,
    Movement,
    Trace,
    TraceError,
    bytes_meter,
    constant,
    cpu_meter,
    level_meter,
    micro,
    parse_time,
    read,
)

BYTE_METERS = ("net_rx", "net_tx", "disk_read", "disk_write")
FILE_METERS = ("cpu", *BYTE_METERS)
HOUR_MS = 3_600_000
LONGEST_EVERY_S = 86_400
MOST_OFFSET_HOURS = 1_000_000
MOST_COUNT = 2**40
KEYS = {
    "code": None, "cores": 4, "memory_mib": 16_384, "memory_percent": 40, "disk_mib": 0, "cpu_percent": 0, "offset_hours": 0,
    "movement": None, "version0": False, "every": 300, **dict.fromkeys(FILE_METERS),
}  # fmt: skip
OPTIONS = ("from", "to", "step", "live_step", "follow", "movement", "machine")


@dataclass(frozen=True, slots=True)
class Member:
    """A recorded machine; version 0 ones send a reading every `every_ms`. `trace` gives the default range, if it has a file."""

    machine: Recorded
    trace: Trace | None
    every_ms: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """The machines and what to do with them. None where the file does not say."""

    members: tuple[Member, ...]
    from_ms: int | None = None
    to_ms: int | None = None
    step_s: int | None = None
    live_step_s: int | None = None
    follow: bool = False


def load(path: Path) -> Fleet:
    """A fleet file, whose traces are named relative to it. Raise ConfigError with place and remedy."""
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    _refuse_unknown(table, OPTIONS, str(path))
    entries = table.get("machine", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"machine in {path} must be a table for each machine, under [[machine]] in double brackets.")
    if not entries:
        raise ConfigError(f"{path} lists no [[machine]].")
    shared = {"movement": table.get("movement", 0)}
    members = tuple(member({**shared, **entry}, path.parent) for entry in entries)
    _refuse_twice([entry["code"] for entry in entries], path)
    return Fleet(
        members,
        from_ms=moment(table.get("from"), f"from in {path}"),
        to_ms=moment(table.get("to"), f"to in {path}"),
        step_s=_seconds(table, "step", path),
        live_step_s=_seconds(table, "live_step", path),
        follow=_follow(table, path),
    )


def member(entry: Mapping[str, Any], folder: Path = Path()) -> Member:
    """One machine from its table of words."""
    where = f"machine {entry.get('code', '?')!s:.80}"
    _refuse_unknown(entry, tuple(KEYS), where)
    words = {**KEYS, **entry}
    if not isinstance(words["code"], str) or not re.fullmatch(CODE, words["code"]):
        raise ConfigError(f"{where}: code must be {CODE_WORDS}, in quotes.")
    try:
        traces = {name: read(_trace_path(words, name, folder)) for name in FILE_METERS if words[name] is not None}
        return Member(_recorded(words, traces), next(iter(traces.values()), None), _every_ms(words))
    except (ValueError, TraceError) as error:
        raise ConfigError(f"{where}: {error}.") from error


def _trace_path(words: Mapping[str, Any], name: str, folder: Path) -> Path:
    named = words[name]
    if not isinstance(named, str) or not named or "\0" in named:
        raise ValueError(f"{name} must be the path of a CSV file, in quotes")
    return folder / named


def _every_ms(words: Mapping[str, Any]) -> int:
    return _count(words, "every", 1, LONGEST_EVERY_S) * 1000


def _recorded(words: Mapping[str, Any], traces: Mapping[str, Trace]) -> Recorded:
    host = Host(_count(words, "cores", 1), _count(words, "memory_mib", 1))
    movement = STILL if words["movement"] is None else Movement(_count(words, "movement", 0, 100))
    if not isinstance(words["version0"], bool):
        raise ValueError("version0 must be true or false, without quotes")
    shape = {**words, **{name: trace.digest for name, trace in traces.items()}}
    return Recorded(
        code=words["code"],
        host=host,
        meters=_meters(words, traces, host, movement),
        shape=json.dumps(shape, sort_keys=True, default=str),
        offset_ms=_offset_ms(words),
        version0=words["version0"],
    )


def _meters(words: Mapping[str, Any], traces: Mapping[str, Trace], host: Host, movement: Movement) -> dict[str, Meter]:
    cpu = traces.get("cpu") or constant(_percent(words, "cpu_percent"))
    if any(row.micro > 100 * MICRO for row in cpu.rows):
        raise ValueError(
            "CPU is in percent of all cores, so no value may be over 100; for bytes say --meter net_rx or disk_write"
        )
    slow = Movement(min(movement.percent, 2), slot_ms=60_000)  # Memory does not jump as CPU does.
    meters = {
        "cpu_ms": cpu_meter(cpu, host.cores, movement),
        "memory_mib_ms": level_meter(constant(_percent(words, "memory_percent")), host.memory_mib, slow),
        "disk_mib_ms": level_meter(constant(100 * MICRO), _count(words, "disk_mib", 0)),
    }
    return meters | {name: bytes_meter(traces[name], movement) for name in BYTE_METERS if name in traces}


def _offset_ms(words: Mapping[str, Any]) -> int:
    hours = words["offset_hours"]
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not abs(hours) <= MOST_OFFSET_HOURS:
        raise ValueError(f"offset_hours must be a number of hours, {MOST_OFFSET_HOURS:,} at most")
    return round(float(hours) * HOUR_MS)


def moment(value: Any, where: str) -> int | None:
    """A time given as text or as TOML's own, in epoch ms; None for none and for "now"."""
    if value is None or value == "now":
        return None
    try:
        return parse_time(value.isoformat() if isinstance(value, datetime) else str(value))
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{where}: {value!r:.80} is not a time such as 2026-10-01T00:00:00Z.") from error


def _percent(words: Mapping[str, Any], name: str) -> int:
    said = words[name]
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        raise ValueError(f"{name} must be a number from 0 to 100")
    try:
        value = micro(str(said))
    except (ValueError, OverflowError):
        value = 100 * MICRO + 1
    if value > 100 * MICRO:
        raise ValueError(f"{name} must be a number from 0 to 100")
    return value


def _count(words: Mapping[str, Any], name: str, least: int, most: int = MOST_COUNT) -> int:
    value = words[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more")
    if value > most:
        raise ValueError(f"{name} must be a whole number of {most:,} at most")
    return value


def _follow(table: Mapping[str, Any], path: Path) -> bool:
    value = table.get("follow", False)
    if not isinstance(value, bool):
        raise ConfigError(f"follow in {path} must be true or false, without quotes.")
    return value


def _seconds(table: Mapping[str, Any], name: str, path: Path) -> int | None:
    value = table.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 3600):
        return value
    raise ConfigError(f"{name} in {path} must be whole seconds from 1 to 3600.")


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise ConfigError(f"{where}: unknown word {name}. Known are: {', '.join(known)}.")


def _refuse_twice(codes: list[str], path: Path) -> None:
    for code in codes:
        if codes.count(code) > 1:
            raise ConfigError(f"{path} lists machine {code} twice.")
