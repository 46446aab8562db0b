"""The one writer of the audit trail: who did what, when, from where, before and after. Each entry seals the one before it.

`record` joins the caller's transaction: what is rolled back was not done, and leaves no entry.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from accounts.door_models import GENESIS, AuditEntry, AuditHead
from accounts.whence import actor_name, address_of, current_request

SEALED = ("id", "at", "actor", "customer_pk", "action", "target", "address", "request_id", "before", "after")
LONGEST = 20_000


def record(
    action: str,
    target: object = "",
    *,
    customer_pk: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: object = None,
) -> AuditEntry:
    """Add an entry. Who and where from come from the request that is being answered; without one it is the system.

    `actor` names somebody else, such as a person who has just signed in.
    """
    request = current_request()
    bearer = actor or (request.user if request else None)
    entry = AuditEntry(
        at=now(),
        actor=actor_name(bearer) if bearer else "system",
        customer_pk=customer_pk,
        action=action,
        target=str(target)[:120],
        address=address_of(request) if request else "",
        request_id=request.META.get("REQUEST_ID", "") if request else "",
        before=_text(before),
        after=_text(after),
    )
    return _append(entry)


@transaction.atomic
def _append(entry: AuditEntry) -> AuditEntry:
    """Take the next number under the head's lock, so that two who append at once make one chain."""
    head = _locked_head()
    entry.id = head.last + 1
    entry.digest = digest_of(entry, head.digest)
    entry.save(force_insert=True)
    AuditHead.objects.filter(pk=1).update(last=entry.id, digest=entry.digest)
    return entry


def _locked_head() -> AuditHead:
    """The head, held by this transaction; the very first entry makes it."""
    held = AuditHead.objects.select_for_update().filter(pk=1)
    if (head := held.first()) is not None:
        return head
    AuditHead.objects.get_or_create(pk=1)
    return held.get()


def digest_of(entry: AuditEntry, previous: str) -> str:
    """SHA-256 over the digest before and every field, as canonical JSON."""
    content = {name: _plain(getattr(entry, name)) for name in SEALED}
    return hashlib.sha256(f"{previous}\n{json.dumps(content, sort_keys=True)}".encode()).hexdigest()


def faults() -> Iterator[str]:
    """Everything that is wrong with the chain: an entry that was changed, one that is missing, a head that is not the last."""
    previous, last = GENESIS, 0
    for entry in AuditEntry.objects.order_by("id").iterator(chunk_size=2_000):
        if entry.id != last + 1:
            yield f"Entries {last + 1} to {entry.id - 1} are missing."
        elif entry.digest != digest_of(entry, previous):
            yield f"Entry {entry.id} is not what was written."
        previous, last = entry.digest, entry.id
    head = AuditHead.objects.filter(pk=1).first() or AuditHead()
    if (head.last, head.digest) != (last, previous):
        yield f"The newest entry is {last}, the head says {head.last}."


def _text(content: Mapping[str, Any] | None) -> str:
    """JSON that no field can blow up: an entry is an account of what happened, not an archive."""
    return json.dumps(dict(content), sort_keys=True, default=str)[:LONGEST] if content is not None else ""


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
