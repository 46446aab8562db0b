"""Passkeys (WebAuthn): made, shown, taken away. python-fido2 reads and checks what authenticators send.

An authenticator finds the passkey itself, so nobody types an address and nobody learns who has an account; and it asks for a
finger, a face or a PIN, so one passkey is two factors. A challenge counts once, in the session that asked, for five minutes.
"""

import json
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils.timezone import now
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts import attempts, mails, second_factor
from accounts.audit import record
from accounts.models import Passkey, User

CHALLENGE, CHALLENGE_S = "passkey-challenge", 300
MOST = 20
LONGEST_ANSWER = 20_000
LONGEST_ID = 1_023  # Bytes, as WebAuthn says.
ALGORITHMS = (-7, -8, -257)  # ES256, EdDSA, RS256: what every authenticator has one of.


class Refused(ValueError):
    """Why a passkey is not taken. For the audit trail; a person is told one sentence whatever it was."""


def origin() -> str:
    """The one address at which passkeys are made and good, as browsers write it."""
    parts = urlsplit(settings.SITE_URL.lower())
    port = parts.port if parts.port != {"http": 80, "https": 443}[parts.scheme] else None
    return f"{parts.scheme}://{parts.hostname}{f':{port}' if port else ''}"


def usable_at(request: HttpRequest) -> bool:
    """Whether this page was asked for under the address for which passkeys are good."""
    return f"{request.scheme}://{request.get_host().lower()}" == origin()


def ask(session: SessionBase) -> dict[str, Any]:
    """What a browser needs to show a passkey, any that the person has here. Remembers the challenge."""
    options, state = _server().authenticate_begin(user_verification=UserVerificationRequirement.REQUIRED)
    _remember(session, state)
    return dict(options)


def shown(session: SessionBase, answer: str) -> Passkey:
    """The passkey that a browser has shown; it counts this once. Raise Refused."""
    state = _challenge(session)
    try:
        sent = AuthenticationResponse.from_dict(_object(answer))
        row = Passkey.objects.select_related("user").get(credential_id=sent.id, user__is_active=True)
        known = AttestedCredentialData(bytes(row.credential))
        _server().authenticate_complete(state, [known], sent)
    except Passkey.DoesNotExist:
        raise Refused("No such passkey.") from None
    except Exception as error:  # Whatever somebody sends instead; the reader of CBOR raises many things.
        raise Refused(str(error) or type(error).__name__) from error
    if sent.response.client_data.cross_origin:
        raise Refused("Shown inside another site's page.")
    if sent.response.user_handle != bytes(row.handle):
        raise Refused("The passkey is another person's.")
    _count(row, sent.response.authenticator_data.counter)
    return row


def invite(session: SessionBase, user: User) -> dict[str, Any]:
    """What a browser needs to make a passkey for a person, on a device that has none of theirs. Remembers the challenge."""
    held = list(Passkey.objects.filter(user=user))
    handle = bytes(held[0].handle) if held else secrets.token_bytes(32)
    person = PublicKeyCredentialUserEntity(id=handle, name=user.email, display_name=user.name or user.email)
    options, state = _server().register_begin(
        person,
        [AttestedCredentialData(bytes(each.credential)) for each in held],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    _remember(session, {**state, "user": user.pk, "handle": handle.hex()})
    return dict(options)


def add(session: SessionBase, user: User, answer: str, name: str) -> Passkey:
    """Keep the passkey that a browser has made for a person. Raise Refused."""
    state = _challenge(session)
    if state.get("user") != user.pk:
        raise Refused("The challenge was another one's.")
    try:
        sent = RegistrationResponse.from_dict(_object(answer))
        credential = _server().register_complete(state, sent).credential_data
    except Exception as error:  # As above.
        raise Refused(str(error) or type(error).__name__) from error
    if credential is None or credential.public_key[3] not in ALGORITHMS or len(credential.credential_id) > LONGEST_ID:
        raise Refused("A kind of key that was not asked for.")
    if sent.response.client_data.cross_origin:
        raise Refused("Made inside another site's page.")
    row = Passkey(user=user, name=name, handle=bytes.fromhex(state["handle"]), credential=bytes(credential))
    row.credential_id = websafe_encode(credential.credential_id)
    row.uses = sent.response.attestation_object.auth_data.counter
    return _keep(row)


@transaction.atomic
def _keep(row: Passkey) -> Passkey:
    user = User.objects.select_for_update().get(pk=row.user_id)
    if Passkey.objects.filter(credential_id=row.credential_id).exists():
        raise Refused("This passkey is here already.")
    if Passkey.objects.filter(user=user).count() >= MOST:
        raise Refused(f"Nobody needs more than {MOST}.")
    row.save(force_insert=True)
    mails.ask_person(user, record("passkey.added", f"passkey:{row.pk}"))
    return row


def rename(user: User, pk: int, name: str) -> bool:
    """Call a passkey something else. Return whether the person has it. Names are not in the trail, which forgets nothing."""
    return bool(Passkey.objects.filter(user=user, pk=pk).update(name=name))


@transaction.atomic
def remove(user: User, pk: int) -> bool:
    """Take a passkey away. Return whether the person had it. Raise second_factor.Last where staff would have no factor left."""
    User.objects.select_for_update().get(pk=user.pk)
    row = Passkey.objects.filter(user=user, pk=pk).first()
    if row is None:
        return False
    second_factor.keep_one(user)
    row.delete()
    mails.ask_person(user, record("passkey.removed", f"passkey:{pk}"))
    return True


def _server() -> Fido2Server:
    host = urlsplit(origin()).hostname
    party = PublicKeyCredentialRpEntity(name="Corehour", id=host)
    server = Fido2Server(party, AttestationConveyancePreference.NONE, verify_origin=lambda told: told == origin())
    server.timeout = CHALLENGE_S * 1000  # type: ignore[assignment] # fido2 declares the None that it begins with
    server.allowed_algorithms = [
        PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=algorithm) for algorithm in ALGORITHMS
    ]
    return server


def _remember(session: SessionBase, state: dict[str, Any]) -> None:
    session[CHALLENGE] = {**state, "until": time.time() + CHALLENGE_S}


def _challenge(session: SessionBase) -> dict[str, Any]:
    """The session's challenge, which is used up by this, also when two requests of the session come at once."""
    state: dict[str, Any] = session.pop(CHALLENGE, None) or {}
    if state.get("until", 0) < time.time() or not attempts.first(state["challenge"]):
        raise Refused("No challenge is open.")
    return state


def _count(row: Passkey, uses: int) -> None:
    """Authenticators that count never show a number twice, unless there are two. One statement, so that races lose too."""
    before = {"uses": 0} if uses == 0 else {"uses__lt": uses}
    if not Passkey.objects.filter(pk=row.pk, **before).update(uses=uses, used_at=now()):
        record("passkey.cloned", f"passkey:{row.pk}", actor=row.user, before={"uses": row.uses}, after={"uses": uses})
        raise Refused("Its count did not grow: there may be a copy.")


def _object(answer: str) -> dict[str, Any]:
    sent = json.loads(answer[:LONGEST_ANSWER])
    if not isinstance(sent, dict):
        raise TypeError("Not an object.")
    return sent
