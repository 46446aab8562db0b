"""The slow and careful reader of a message: why it is refused, whether a key stands twice, and the paper's format. Pure."""

import json
import re
import uuid
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

MACHINE_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
BODY_FIELDS: Final = ("machine", "stream", "host", "samples")
HOST_FIELDS: Final = ("cores", "memory_mib")
SAMPLE_FIELDS: Final = (
    "seq", "start", "end", "cpu_ms", "memory_mib_ms", "disk_mib_ms", "net_rx", "net_tx", "disk_read", "disk_write"
)  # fmt: skip
MAX_DIGITS: Final = 19  # 2**63 - 1 has as many.


class Refused(Exception):
    """A message that does not count. `reason` is a value of usage.models.Reason, `detail` a sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def explain(value: bytes) -> Refused:
    """Return why the typed decoder did not take a body."""
    try:
        _check_shape(check(value))
    except Refused as refused:
        return refused
    return Refused("wrong_type", "the message does not have the form of wire format 1")


def check(value: bytes) -> Any:
    """Return the parsed JSON. Raise Refused where it is no JSON or a key stands twice in one object."""
    try:
        return json.loads(
            value.decode("utf-8"), object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
        )
    except UnicodeDecodeError as error:
        raise Refused("not_json", f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise Refused("not_json", "nested too deeply") from None
    except ValueError as error:
        raise Refused("not_json", str(error)[:200] if value else "the message is empty") from None


def machine_id(text: str) -> str:
    """Return a machine id as it may stand on the wire. Raise Refused for any other text."""
    if not MACHINE_ID.fullmatch(text):
        raise Refused("unknown_machine", f"{text[:80]!r} is no machine id: 1 to 63 lower-case letters, digits, hyphens")
    return text


def paper_reading(value: bytes) -> tuple[str, Decimal, Decimal]:
    """Return machine id, CPU percent and memory percent of the paper's message."""
    body = check(value)
    if not isinstance(body, dict) or "machine_id" not in body:
        raise Refused("wrong_type", "no ce_type header, and not the paper's message: an object with machine_id is needed")
    machine = body["machine_id"]
    if isinstance(machine, bool) or not isinstance(machine, str | int):
        raise Refused("wrong_type", "machine_id must be a text")
    return machine_id(str(machine)), _number(body, "cpu_usage"), _number(body, "memory_usage")


def named_machine(value: bytes) -> str:
    """Return the machine id that a body names, whatever else is wrong with it, or nothing."""
    try:
        body = check(value)
    except Refused:
        return ""
    named = body.get("machine_id", body.get("machine", "")) if isinstance(body, dict) else ""
    return str(named) if isinstance(named, str | int) else ""


def claimed_span(value: bytes) -> tuple[uuid.UUID, int, int] | None:
    """Return the stream and the half-open span of sequence numbers that a refused body names, if they follow each other."""
    try:
        body = check(value)
        seqs = [sample["seq"] for sample in body["samples"]]
        stream = uuid.UUID(body["stream"])
    except (Refused, TypeError, KeyError, ValueError, AttributeError):
        return None
    whole = bool(seqs) and all(isinstance(seq, int) and 0 <= seq < 2**63 - 1 for seq in seqs)
    if not whole or seqs != list(range(seqs[0], seqs[0] + len(seqs))):
        return None
    return stream, seqs[0], seqs[-1] + 1


def _number(body: dict[str, Any], name: str) -> Decimal:
    number = body.get(name)
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise Refused("wrong_type", f"{name} must be a number of percent" if name in body else f"{name} is missing")
    return Decimal(number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused("duplicate_key", f"{twice[:80]!r} stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise Refused("out_of_range", f"a number of {len(digits)} digits")
    return int(digits)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # An exponent of nineteen digits and more.
        raise Refused("out_of_range", f"the number {text[:40]}") from None


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_shape(body: Any) -> None:
    """Raise Refused at the first thing that is not as wire format 1 wants it."""
    if not isinstance(body, dict):
        raise Refused("wrong_type", "the message must be an object")
    _check_present(body, BODY_FIELDS, "the message")
    for name in ("machine", "stream"):
        if not isinstance(body[name], str):
            raise Refused("wrong_type", f"{name} must be a text")
    _check_integers(body["host"], HOST_FIELDS, "host")
    if not isinstance(body["samples"], list):
        raise Refused("wrong_type", "samples must be a list")
    for number, sample in enumerate(body["samples"]):
        _check_integers(sample, SAMPLE_FIELDS, f"sample number {number}")


def _check_present(found: dict[str, Any], names: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in found:
            raise Refused("wrong_type", f"{where} has no {name}")


def _check_integers(found: Any, names: tuple[str, ...], where: str) -> None:
    if not isinstance(found, dict):
        raise Refused("wrong_type", f"{where} must be an object")
    _check_present(found, names, where)
    for name in names:
        number = found[name]
        if isinstance(number, Decimal):
            raise Refused("not_integer", f"{name} of {where} must be a whole number")
        if isinstance(number, bool) or not isinstance(number, int):
            raise Refused("wrong_type", f"{name} of {where} must be a whole number")
        if abs(number) >= 2**63:
            raise Refused("out_of_range", f"{name} of {where} is too large")
