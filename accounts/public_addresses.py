"""Which addresses the server may call on somebody's wish: the public Internet's, and nothing that leads inside. Pure."""

import ipaddress
from collections.abc import Collection

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's special-purpose registries, with the addresses at which clouds answer their own machines.
REFUSED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # All else is unassigned, local, mapped (::ffff:0:0/96) or NAT64 (64:ff9b::/96).
REFUSED_V6 = tuple(  # Teredo (2001::/32) and 6to4 (2002::/16) hold a v4 address.
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def may_be_called(text: str, allowed: Collection[Network] = ()) -> bool:
    """Whether an address, as a resolver gives it, is public or lies in a network that the operator allows by name."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in allowed) or is_public(address)


def is_public(address: Address) -> bool:
    """Whether an address is one host on the public Internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in REFUSED_V4)
    return address.scope_id is None and address in GLOBAL_V6 and not any(address in network for network in REFUSED_V6)
