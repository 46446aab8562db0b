"""What a key may be good for, and which scope each room of the API asks. Pure."""

from dataclasses import dataclass

OWNER, BILLING, VIEWER = "owner", "billing", "viewer"


@dataclass(frozen=True, slots=True)
class Room:
    """The addresses below /api/v1/ROOM/: the scope's first word, and which of a customer's people may write there."""

    scope: str
    writers: frozenset[str] = frozenset()
    readers: frozenset[str] = frozenset({OWNER, BILLING, VIEWER})
    asks: bool = False  # POST only asks here, as a calculator does: it needs no more than reading.


OWNERS = frozenset({OWNER})
PAYERS = frozenset({OWNER, BILLING})
ROOMS = {
    "customers": Room("account", PAYERS),
    "members": Room("account", OWNERS),
    "keys": Room("keys", OWNERS, OWNERS),
    "audit": Room("audit", readers=OWNERS),
    "webhooks": Room("webhooks", OWNERS, OWNERS),
    "machines": Room("machines", OWNERS),
    "usage": Room("usage"),
    "samples": Room("usage"),
    "estimate": Room("invoices"),
    "invoices": Room("invoices"),
    "credit-notes": Room("invoices"),
    "wallet": Room("invoices"),
    "plans": Room("plans"),
    "quotes": Room("plans", asks=True),
}
SCOPES = tuple(
    sorted({f"{room.scope}:read" for room in ROOMS.values()} | {f"{room.scope}:write" for room in ROOMS.values() if room.writers})
)
READING = ("account:read", "invoices:read", "machines:read", "plans:read", "usage:read")
SAFE = ("GET", "HEAD", "OPTIONS")


def room_of(path: str) -> Room:
    """The room of an address. One that nobody listed asks a scope of its own that no key has, and lets no customer write."""
    words = path.split("/")
    name = words[3] if path.startswith("/api/v1/") and len(words) > 3 else ""
    return ROOMS.get(name, Room(name))


def only_reads(method: str, room: Room) -> bool:
    """Whether a request changes nothing."""
    return method in SAFE or room.asks


def scope_asked(method: str, path: str) -> str:
    """The scope that a key needs for a request."""
    room = room_of(path)
    return f"{room.scope}:{'read' if only_reads(method, room) else 'write'}"
