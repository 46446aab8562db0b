"""How a machine's key gets in and out: single-use tokens, enrolment, change with overlap, revocation. Only writer of keys."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.audit import record
from accounts.models import User
from usage.key_models import EnrolmentToken, MachineKey
from usage.models import Machine
from usage.signing import PUBLIC_BYTES, key_id, verifies

TOKEN_LIVES = timedelta(hours=24)
OVERLAP = timedelta(days=7)  # What was signed with the old key may wait in Kafka for that long.
ENROL_DOMAIN = b"corehour.enrol.1\n"
ROTATE_DOMAIN = b"corehour.rotate.1\n"


class EnrolmentRefused(Exception):
    """The text says why, for the person at the machine."""


def create_token(machine: Machine, user: User | None = None, lives: timedelta = TOKEN_LIVES) -> tuple[EnrolmentToken, str]:
    """Make a token for one machine. The second value is the secret, to be shown once."""
    secret = EnrolmentToken.make_secret()
    token = EnrolmentToken.objects.create(
        machine=machine,
        prefix=secret[:10],
        digest=EnrolmentToken.digest_of(secret),
        created_by=user,
        expires_at=now() + lives,
    )
    record("enrolment.offered", f"machine:{machine.pk}", customer_pk=machine.customer_id, after={"prefix": token.prefix})
    return token, secret


def withdraw_token(token: EnrolmentToken) -> None:
    """End a token that nobody has used. Raise EnrolmentRefused for one that was."""
    at = now()
    if EnrolmentToken.objects.filter(pk=token.pk, used_at=None, expires_at__gt=at).update(expires_at=at):
        target = f"machine:{token.machine_id}"
        record("enrolment.withdrawn", target, customer_pk=token.machine.customer_id, after={"prefix": token.prefix})
    elif EnrolmentToken.objects.get(pk=token.pk).used_at is not None:
        raise EnrolmentRefused(f"The token {token.prefix}… was used.")


def enrol(secret: str, public: bytes, proof: str) -> MachineKey:
    """Register a key for the token's machine and end every other key of it. Raise EnrolmentRefused.

    `proof` is a signature with the key over the token: whoever brings a key must hold its private half.
    """
    if len(public) != PUBLIC_BYTES or not verifies(public, proof, ENROL_DOMAIN + secret.encode()):
        raise EnrolmentRefused("The key does not match its proof.")
    with transaction.atomic():
        token = _spend(secret)
        if token.machine.retired_at is not None:
            raise EnrolmentRefused(f"{token.machine.code} was retired.")
        # A new enrolment is a new start: the machine's old keys may be on a disk that was lost, or in a clone.
        MachineKey.objects.filter(machine=token.machine, revoked_at=None).update(revoked_at=now())
        return _register(token.machine, public)


def _spend(secret: str) -> EnrolmentToken:
    """Mark the token as used, in a way that only one of two at the same time can. Raise EnrolmentRefused."""
    at = now()
    tokens = EnrolmentToken.objects.filter(digest=EnrolmentToken.digest_of(secret))
    if not tokens.filter(used_at=None, expires_at__gt=at).update(used_at=at):
        raise EnrolmentRefused("This token is unknown, used or out of date. Make a new one on the machine's page.")
    return tokens.select_related("machine__customer").get()


def rotate(old: MachineKey, public: bytes, proof: str, at: datetime | None = None) -> MachineKey:
    """Let a machine change to a new key; the old one counts for OVERLAP more. Raise EnrolmentRefused."""
    at = at or now()
    if len(public) != PUBLIC_BYTES or not verifies(public, proof, ROTATE_DOMAIN + old.keyid.encode()):
        raise EnrolmentRefused("The key does not match its proof.")
    with transaction.atomic():
        live = MachineKey.objects.live(at).filter(machine=old.machine)
        if not live.filter(pk=old.pk).exists():
            raise EnrolmentRefused("The key that asks is no longer in use.")
        if known := live.filter(keyid=key_id(public)).first():
            return known  # The answer to the first try was lost.
        live.filter(Q(expires_at=None) | Q(expires_at__gt=at + OVERLAP)).update(expires_at=at + OVERLAP)
        return _register(old.machine, public)


def revoke(machine: Machine, user: User | None = None) -> int:
    """End every key of a machine at once. Return how many there were. Workers notice within keys.FRESH_S."""
    ended = MachineKey.objects.filter(machine=machine, revoked_at=None).update(revoked_at=now(), revoked_by=user)
    record("machine-key.revoked", f"machine:{machine.pk}", customer_pk=machine.customer_id, after={"keys": ended})
    return ended


def _register(machine: Machine, public: bytes) -> MachineKey:
    try:
        with transaction.atomic():
            key = MachineKey.objects.create(machine=machine, keyid=key_id(public), public_key=public)
            record("machine-key.added", f"machine:{machine.pk}", customer_pk=machine.customer_id, after={"keyid": key.keyid})
            return key
    except IntegrityError:
        raise EnrolmentRefused("This key was registered before: make a new one.") from None
