"""A limit on guessing. Each attempt is counted before it is made, in one statement, so that a thousand at once are still few.

Counting failures afterwards, as lock-out packages do, lets through all that begin before the first has failed.
"""

import hashlib
import ipaddress
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from accounts.models import Attempts

WINDOW = timedelta(minutes=15)
FROM_ONE_PLACE = 10  # At one account, from one address.
AT_ONE_ACCOUNT = 100  # From all addresses: high, or a stranger could lock out whoever they like.
FROM_ONE_ADDRESS = 200  # At all accounts.


def may_try(email: str, address: str) -> bool:
    """Claim an attempt at an account from an address. False: there have been too many in a quarter of an hour."""
    limits = zip(_subjects(email, address), (FROM_ONE_PLACE, AT_ONE_ACCOUNT, FROM_ONE_ADDRESS), strict=True)
    return all(_claim(subject, limit) for subject, limit in limits)


def may_begin(address: str) -> bool:
    """Claim a passkey's challenge for an address. Nothing can be guessed with one; it keeps a stranger from filling the table."""
    return _claim(digest(f"challenges {_network(address)}"), FROM_ONE_ADDRESS)


def first(secret: str) -> bool:
    """Whether nobody has shown this before in the last quarter of an hour, also when two come at the same time."""
    return _claim(digest(f"once {secret}"), 1)


def succeeded(email: str, address: str) -> None:
    """The right password: earlier mistakes from this place are forgiven."""
    Attempts.objects.filter(subject=_subjects(email, address)[0]).delete()


@transaction.atomic
def _claim(subject: str, limit: int) -> bool:
    moment = now()
    Attempts.objects.get_or_create(subject=subject, defaults={"since": moment})
    Attempts.objects.filter(subject=subject, since__lte=moment - WINDOW).update(since=moment, tries=0)
    return bool(Attempts.objects.filter(subject=subject, tries__lt=limit).update(tries=F("tries") + 1))


def _subjects(email: str, address: str) -> tuple[str, str, str]:
    account, place = email.strip().lower(), _network(address)
    return digest(f"{account} {place}"), digest(f"account {account}"), digest(f"place {place}")


def _network(address: str) -> str:
    """An address, or the /64 of an IPv6 one: a household has 2^64 of those."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def digest(text: str) -> str:
    """How an account or an address is named where its own name is nobody's business."""
    return hashlib.sha256(text.encode()).hexdigest()
