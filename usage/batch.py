"""Second step on the data's way: a batch of records becomes decoded messages, each with its machine or its reason."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from usage.classify import Decoded
from usage.keys import trust, verify_all, verify_known
from usage.models import MachineKey
from usage.periods import to_ms
from usage.quick import decode, plain
from usage.sealing import is_sealed, opened
from usage.sql import VALUES_A_STATEMENT, chunks, with_codes
from usage.wire import Limits, Message, RawMessage
from usage.wire_errors import Refused

log = logging.getLogger(__name__)
_tuple = tuple.__new__  # A named tuple's own constructor takes several times as long.


class _Known(NamedTuple):
    pk: int
    customer_pk: int
    retired_ms: int | None
    may_send_unsigned: bool


class Look(NamedTuple):
    """What a record says, and whether it is signed."""

    signed: bool
    found: Message | Refused


def look_ahead(records: Iterable[RawMessage], limits: Limits, using: str) -> list[Look | None]:
    """As much of `decode_all` as needs no database: nothing of a record whose key has to be looked up first."""
    raws = list(records)
    return [
        None if right is None else _look(raw, right, limits, using)
        for raw, right in zip(raws, verify_known(raws, limits.now_ms, using), strict=True)
    ]


def decode_all(
    records: Iterable[RawMessage],
    limits: Limits,
    using: str = "default",
    *,
    looks: Sequence[Look | None] = (),
    vouched: bool = False,
) -> list[Decoded]:
    """Verify each record's signature, decode it and find its machine. Nothing raises: what cannot be stored carries its reason.

    `looks`: what `look_ahead` said of these records. `vouched`: a person answers for these bytes, which they have mended,
    in place of a signature.
    """
    raws = list(records)
    left = [raw for raw, look in zip(raws, looks, strict=True) if look is None] if looks else raws
    signed: list[bool | Refused] = [True] * len(left) if vouched else verify_all(left, limits.now_ms, using)
    late = (_look(raw, right, limits, using) for raw, right in zip(left, signed, strict=True))
    settled = [next(late) if look is None else look for look in looks] if looks else list(late)
    codes = sorted({found.machine for _, found in settled if isinstance(found, Message)})
    machines = {code: known for part in chunks(codes, VALUES_A_STATEMENT) for code, known in _load(list(part), using)}
    return [_with_machine(raw, signed, found, machines) for raw, (signed, found) in zip(raws, settled, strict=True)]


def _load(codes: list[str], using: str) -> list[tuple[str, _Known]]:
    keys = trust(using)
    found = with_codes(codes, using)
    rows = found.values_list("code", "pk", "customer_id", "retired_at", Exists(MachineKey.objects.filter(machine=OuterRef("pk"))))
    return [
        (code, _Known(pk, customer, to_ms(retired) if retired else None, keys.may_send_unsigned(customer, has_key)))
        for code, pk, customer, retired, has_key in rows
    ]


def _look(raw: RawMessage, signed: bool | Refused, limits: Limits, using: str) -> Look:
    if isinstance(signed, Refused):
        return Look(False, signed)
    try:
        return _tuple(Look, (signed, plain(raw, limits) or _read(raw, signed, limits, using)))
    except Refused as refused:
        return Look(signed, refused)
    except Exception as error:  # A decoder's own fault must not stop the partition; after many in a row the worker stops.
        log.exception("Message %s-%s@%s raised while it was decoded", raw.topic, raw.partition, raw.offset)
        return Look(signed, Refused("poison", f"{type(error).__name__}: {error}"))


def _read(raw: RawMessage, signed: bool, limits: Limits, using: str) -> Message:
    """Read what is not plain: sealed, of the other format, or wrong."""
    if is_sealed(raw):
        raw = opened(raw, trust(using).sealing_keys()) if signed else _unsigned(raw)
    return decode(raw, limits)


def _unsigned(raw: RawMessage) -> RawMessage:
    raise Refused("unsigned", "a sealed message must be signed")


def _with_machine(raw: RawMessage, signed: bool, found: Message | Refused, machines: dict[str, _Known]) -> Decoded:
    if isinstance(found, Refused):
        return Decoded(raw, refused=found)
    known = machines.get(found.machine)
    if known is None:
        return Decoded(raw, refused=Refused("unknown_machine", f"no machine {found.machine!r} in this installation"))
    if not signed and not known.may_send_unsigned:
        return Decoded(raw, refused=Refused("unsigned", f"{found.machine} must sign its messages"))
    if known.retired_ms is not None and any(row.end_ms > known.retired_ms for row in found.rows):
        return Decoded(raw, refused=Refused("retired_machine", f"{found.machine} was retired before a sample's end"))
    return Decoded(raw, found, known.pk, known.customer_pk)
