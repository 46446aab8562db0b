"""The keys and permissions that ingest judges by, kept in memory: fresh enough that a revoked key ends within a minute."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings
from django.utils.timezone import now

from usage import server_keys
from usage.key_models import MachineKey, UnsignedPermission
from usage.periods import to_ms
from usage.signing import SIGNING, KnownKey, check, claimed_key
from usage.wire import RawMessage
from usage.wire_errors import Refused

FRESH_S = 20.0
UNKNOWN_FRESH_S = 2.0  # A machine that has just enrolled must not wait, and a flood of made-up names must not ask every time.
MOST_UNKNOWN = 10_000
NAMES_A_QUERY = 500
_name: Callable[[tuple[str, bytes]], str] = itemgetter(0)


@dataclass(slots=True)
class Trust:
    """What was last read from one database. `look_up` and `unsigned_customers` read again when that is too old."""

    using: str
    monotonic: Callable[[], float] = time.monotonic
    known: dict[str, KnownKey] = field(default_factory=dict)
    _unsigned: frozenset[int] = frozenset()
    _unknown: dict[str, float] = field(default_factory=dict)
    _sealing: dict[str, X25519PrivateKey] | None = None
    _read_at: float = float("-inf")

    def is_fresh(self) -> bool:
        """Whether what is known may still be judged by."""
        return self.monotonic() - self._read_at < FRESH_S

    def freshen(self) -> None:
        """Forget what is too old, and learn anew which customers may send unsigned and which machines have a key."""
        if self.is_fresh():
            return
        at = self.monotonic()
        self.known.clear()
        self._unknown.clear()
        self._sealing = None
        self._unsigned = frozenset(UnsignedPermission.objects.using(self.using).values_list("customer_id", flat=True))
        self._read_at = at

    def look_up(self, names: Iterable[str]) -> None:
        """Have every one of these keys in `known` that there is. One query for all that are not there yet."""
        at = self.monotonic()
        missing = sorted({name for name in names if name not in self.known and at >= self._unknown.get(name, float("-inf"))})
        for first in range(0, len(missing), NAMES_A_QUERY):
            self._load(missing[first : first + NAMES_A_QUERY])
        if len(self._unknown) > MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown.update({name: at + UNKNOWN_FRESH_S for name in missing if name not in self.known})

    def may_send_unsigned(self, customer_pk: int, has_key: bool) -> bool:
        """Whether a message without a signature counts. A machine with a key must use it, else it would protect nothing."""
        return not has_key and (not settings.USAGE_REQUIRE_SIGNATURE or customer_pk in self._unsigned)

    def sealing_keys(self) -> dict[str, X25519PrivateKey]:
        """The keys that open what is sealed, by their ids."""
        if self._sealing is None:
            self._sealing = {key.id: key.private for key in server_keys.sealing_keys()}
        return self._sealing

    def _load(self, names: list[str]) -> None:
        rows = MachineKey.objects.using(self.using).live(now()).filter(keyid__in=names)
        for keyid, public, machine, expires in rows.values_list("keyid", "public_key", "machine__code", "expires_at"):
            self.known[keyid] = KnownKey(machine.encode(), bytes(public), to_ms(expires) if expires else None)


_trust: dict[str, Trust] = {}


def trust(using: str) -> Trust:
    """The process's memory of one database, fresh."""
    found = _trust.get(using)
    if found is None:
        found = _trust[using] = Trust(using)
    found.freshen()
    return found


def forget(using: str = "default") -> None:
    """Read everything anew the next time."""
    _trust.pop(using, None)


def verify_all(records: Iterable[RawMessage], now_ms: int, using: str) -> list[bool | Refused]:
    """Say of each record whether it is signed rightly (True), not signed at all (False), or wrongly (why)."""
    kept, claims = _claims(records)
    if not any(claim is not None for claim in claims):
        return [False] * len(kept)
    keys = trust(using)
    keys.look_up(claim for claim in claims if claim is not None)
    return [False if claim is None else _verdict(raw, keys, now_ms) for raw, claim in zip(kept, claims, strict=True)]


def verify_known(records: Iterable[RawMessage], now_ms: int, using: str) -> list[bool | Refused | None]:
    """As `verify_all`, without the database: None where a key is not in memory or was read too long ago."""
    kept, claims = _claims(records)
    keys = _trust.get(using)
    known = keys.known if keys is not None and keys.is_fresh() else {}
    return [
        False if claim is None else _verdict(raw, keys, now_ms) if keys and claim in known else None
        for raw, claim in zip(kept, claims, strict=True)
    ]


def _claims(records: Iterable[RawMessage]) -> tuple[list[RawMessage], list[str | None]]:
    kept = list(records)
    return kept, [None if SIGNING.isdisjoint(map(_name, raw.headers)) else claimed_key(raw) for raw in kept]


def _verdict(raw: RawMessage, keys: Trust, now_ms: int) -> bool | Refused:
    try:
        check(raw, keys.known, now_ms)
    except Refused as refused:
        return refused
    return True
