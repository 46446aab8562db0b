"""The second factor: six digits from an app (TOTP, RFC 6238), and codes on paper for the day the telephone is lost.

The secret is kept sealed (accounts/sealed.py); a code counts once, also when two come at the same time.
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

from accounts import sealed
from accounts.audit import record
from accounts.models import SecondFactor, User

PERIOD_S, DIGITS = 30, 6
DRIFT = 1  # A clock may be one step off, either way.
PAPER_CODES = 10
PENDING, PENDING_S = "second-factor", 600


def needed(user: User) -> bool:
    """Whether somebody who knows the password must show a code too."""
    return SecondFactor.objects.filter(user=user, confirmed=True).exists()


def missing(user: User) -> bool:
    """Whether somebody of the staff has no second factor yet and must make one first."""
    return bool(settings.STAFF_SECOND_FACTOR and user.is_staff and not needed(user))


def begin(user: User) -> str:
    """Make a secret that counts once its first code is shown. Return it in base 32, as apps take it."""
    secret = secrets.token_bytes(20)
    SecondFactor.objects.update_or_create(
        user=user, defaults={"sealed": sealed.seal(secret), "confirmed": False, "last_step": 0, "paper": []}
    )
    return base64.b32encode(secret).decode()


@transaction.atomic
def confirm(user: User, code: str) -> list[str] | None:
    """The first code: from now on it is asked for. Return the paper codes, to be shown once; None for a wrong code."""
    if not SecondFactor.objects.filter(user=user, confirmed=False).exists() or not _spend_digits(user, code):
        return None
    paper = [secrets.token_hex(5) for _ in range(PAPER_CODES)]
    SecondFactor.objects.filter(user=user).update(confirmed=True, paper=[_digest(each) for each in paper])
    record("second-factor.added", f"person:{user.pk}")
    return paper


@transaction.atomic
def spend(user: User, code: str) -> bool:
    """Whether a code of the app or of the paper is right; it counts this once."""
    if not needed(user):
        return False
    plain = code.replace(" ", "").lower()
    return _spend_digits(user, plain) or _spend_paper(user, plain)


def remove(user: User) -> None:
    """Do without from now on; staff must make a new one before they go on."""
    SecondFactor.objects.filter(user=user).delete()
    record("second-factor.removed", f"person:{user.pk}")


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
    totp = TOTP(sealed.opened(row.sealed), DIGITS, SHA1(), PERIOD_S)  # noqa: S303 - what every app speaks
    now_step = int(time.time()) // PERIOD_S
    for step in range(max(row.last_step + 1, now_step - DRIFT), now_step + DRIFT + 1):
        if secrets.compare_digest(totp.generate(step * PERIOD_S), code.encode()):
            return bool(SecondFactor.objects.filter(user=user, last_step__lt=step).update(last_step=step))
    return False


def _spend_paper(user: User, code: str) -> bool:
    row = SecondFactor.objects.select_for_update().get(user=user)
    left = [each for each in row.paper if each != _digest(code)]
    if len(left) == len(row.paper):
        return False
    SecondFactor.objects.filter(user=user).update(paper=left)
    return True


def _digest(code: str) -> str:
    return hashlib.sha256(f"paper {code}".encode()).hexdigest()
