"""Second step on the data's way: a batch of records becomes decoded messages, each with its machine or its reason."""

import logging
from collections.abc import Iterable
from typing import NamedTuple

from usage.classify import Decoded
from usage.models import Machine
from usage.periods import to_ms
from usage.sql import VALUES_A_STATEMENT, chunks
from usage.wire import Limits, Message, RawMessage, decode
from usage.wire_errors import Refused

log = logging.getLogger(__name__)


class _Known(NamedTuple):
    pk: int
    customer_pk: int
    retired_ms: int | None


def decode_all(records: Iterable[RawMessage], limits: Limits, using: str = "default") -> list[Decoded]:
    """Decode each record and find its machine. Nothing raises: what cannot be stored carries its reason."""
    decoded = [(raw, _decode(raw, limits)) for raw in records]
    codes = sorted({found.machine for _, found in decoded if isinstance(found, Message)})
    machines = {code: known for part in chunks(codes, VALUES_A_STATEMENT) for code, known in _load(list(part), using)}
    return [_with_machine(raw, found, machines) for raw, found in decoded]


def _load(codes: list[str], using: str) -> list[tuple[str, _Known]]:
    rows = Machine.objects.using(using).filter(code__in=codes).values_list("code", "pk", "customer_id", "retired_at")
    return [(code, _Known(pk, customer, to_ms(retired) if retired else None)) for code, pk, customer, retired in rows]


def _decode(raw: RawMessage, limits: Limits) -> Message | Refused:
    try:
        return decode(raw, limits)
    except Refused as refused:
        return refused
    except Exception as error:  # A decoder's own fault must not stop the partition; after many in a row the worker stops.
        log.exception("Message %s-%s@%s raised while it was decoded", raw.topic, raw.partition, raw.offset)
        return Refused("poison", f"{type(error).__name__}: {error}")


def _with_machine(raw: RawMessage, found: Message | Refused, machines: dict[str, _Known]) -> Decoded:
    if isinstance(found, Refused):
        return Decoded(raw, refused=found)
    known = machines.get(found.machine)
    if known is None:
        return Decoded(raw, refused=Refused("unknown_machine", f"no machine {found.machine!r} in this installation"))
    if known.retired_ms is not None and any(row.end_ms > known.retired_ms for row in found.rows):
        return Decoded(raw, refused=Refused("retired_machine", f"{found.machine} was retired before a sample's end"))
    return Decoded(raw, found, known.pk, known.customer_pk)
