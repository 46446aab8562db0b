"""The second factor: six digits from an app (TOTP, RFC 6238), and codes on paper for the day the telephone is lost.

Passkeys (accounts/passkeys.py) are one as well. The app's secret is kept sealed (accounts/sealed.py); a code counts once, also
when two come at the same time.
"""

import base64
import hashlib
import secrets
import time

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from accounts import mails, sealed
from accounts.audit import record
from accounts.models import Passkey, SecondFactor, User

PERIOD_S, DIGITS = 30, 6
DRIFT = 1  # A clock may be one step off, either way.
PAPER_CODES = 10
PENDING, PENDING_S = "second-factor", 600


class Last(ValueError):
    """Staff keep at least one second factor."""


def has_codes(user: User) -> bool:
    """Whether somebody has an app with codes."""
    return SecondFactor.objects.filter(user=user, confirmed=True).exists()


def needed(user: User) -> bool:
    """Whether the password is not enough. Staff's passkeys count; a member's are a shorter way in."""
    return has_codes(user) or (user.is_staff and Passkey.objects.filter(user=user).exists())


def keep_one(user: User) -> None:
    """Raise Last where somebody of the staff has only one second factor. The caller holds the person's row."""
    if settings.STAFF_SECOND_FACTOR and user.is_staff and has_codes(user) + Passkey.objects.filter(user=user).count() <= 1:
        raise Last


def missing(user: User) -> bool:
    """Whether somebody of the staff has no second factor yet and must make one first."""
    return bool(settings.STAFF_SECOND_FACTOR and user.is_staff and not needed(user))


def begin(user: User) -> str:
    """Make a secret that counts once its first code is shown; until then an older app does. Return it in base 32."""
    secret = secrets.token_bytes(20)
    SecondFactor.objects.update_or_create(user=user, defaults={"pending": sealed.seal(secret)})
    return base64.b32encode(secret).decode()


@transaction.atomic
def confirm(user: User, code: str) -> list[str] | None:
    """The first code: from now on it is asked for. Return the paper codes, to be shown once; None for a wrong code."""
    row = SecondFactor.objects.select_for_update().filter(user=user).exclude(pending=None).first()
    step = _step_of(bytes(row.pending), code, 0) if row and row.pending is not None else None
    if row is None or step is None:
        return None
    paper = [secrets.token_hex(5) for _ in range(PAPER_CODES)]
    row.sealed, row.pending, row.confirmed, row.last_step = row.pending, None, True, step
    row.paper = [_digest(each) for each in paper]
    row.save()
    mails.ask_person(user, record("second-factor.added", f"person:{user.pk}"))
    return paper


@transaction.atomic
def spend(user: User, code: str) -> bool:
    """Whether a code of the app or of the paper is right; it counts this once."""
    if not has_codes(user):
        return False
    plain = code.replace(" ", "").lower()
    return _spend_digits(user, plain) or _spend_paper(user, plain)


@transaction.atomic
def remove(user: User) -> None:
    """Do without the app from now on. Raise Last where staff would have no second factor left."""
    User.objects.select_for_update().get(pk=user.pk)
    keep_one(user)
    SecondFactor.objects.filter(user=user).delete()
    mails.ask_person(user, record("second-factor.removed", f"person:{user.pk}"))


def ask(request: HttpRequest, user: User) -> None:
    """Remember who has shown the password, until the code comes."""
    request.session[PENDING] = {"user": user.pk, "until": time.time() + PENDING_S}


def asked(request: HttpRequest) -> User | None:
    """Who has shown the password in this browser a short while ago."""
    pending = request.session.get(PENDING) or {}
    if pending.get("until", 0) < time.time():
        return None
    return User.objects.filter(pk=pending["user"], is_active=True).first()


def _spend_digits(user: User, code: str) -> bool:
    row = SecondFactor.objects.select_for_update().get(user=user)
    step = _step_of(bytes(row.sealed or b""), code, row.last_step)
    return step is not None and bool(SecondFactor.objects.filter(user=user, last_step__lt=step).update(last_step=step))


def _step_of(secret: bytes, code: str, last_step: int) -> int | None:
    """The half-minute whose code this is, after the last one that was used; None for a wrong code."""
    totp = TOTP(sealed.opened(secret), DIGITS, SHA1(), PERIOD_S)  # noqa: S303 - what every app speaks
    now_step = int(time.time()) // PERIOD_S
    for step in range(max(last_step + 1, now_step - DRIFT), now_step + DRIFT + 1):
        if secrets.compare_digest(totp.generate(step * PERIOD_S), code.encode()):
            return step
    return None


def _spend_paper(user: User, code: str) -> bool:
    row = SecondFactor.objects.select_for_update().get(user=user)
    left = [each for each in row.paper if each != _digest(code)]
    if len(left) == len(row.paper):
        return False
    SecondFactor.objects.filter(user=user).update(paper=left)
    return True


def _digest(code: str) -> str:
    return hashlib.sha256(f"paper {code}".encode()).hexdigest()
