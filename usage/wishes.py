"""What people ask of a machine's agent, and what the agent says of itself. Only writer of both.

The agent fetches a wish; it is signed, numbered and has an end, so that nobody between can invent, keep or repeat one.
Whether it is obeyed is up to the machine's user: the answer says so.
"""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.models import User
from usage.key_models import AgentState, AgentWish, MachineKey
from usage.models import Machine
from usage.periods import from_ms, to_ms
from usage.server_keys import wish_key

WISH_DOMAIN = b"corehour.wish.1\n"
WISH_LIVES = timedelta(hours=24)
SHORTEST_S, LONGEST_S = 1, 3600
NEAR_MS = 5_000


def ask(machine: Machine, user: User, kind: str, seconds: int = 0) -> AgentWish:
    """Ask something of the machine's agent; what was asked before and is unanswered is asked no longer.

    Raise ValueError for something that no agent could do.
    """
    if kind not in AgentWish.Kind.values:
        raise ValueError(f"There is no such wish: {kind}.")
    if kind == AgentWish.Kind.INTERVAL and not SHORTEST_S <= seconds <= LONGEST_S:
        raise ValueError(_("The interval is %(least)d to %(most)d seconds.") % {"least": SHORTEST_S, "most": LONGEST_S})
    with transaction.atomic():
        AgentWish.objects.filter(machine=machine, answered_at=None).update(answer="another wish came", answered_at=now())
        return AgentWish.objects.create(machine=machine, kind=kind, seconds=seconds, asked_by=user)


def pending(machine: Machine, at: datetime) -> AgentWish | None:
    """The wish that the agent has not answered, if it is not too old."""
    return AgentWish.objects.filter(machine=machine, answered_at=None, asked_at__gt=at - WISH_LIVES).first()


def sealed_wish(wish: AgentWish) -> dict[str, str]:
    """The wish as it travels: its bytes and the server's signature over them."""
    body = json.dumps(
        {
            "machine": wish.machine.code,
            "number": wish.pk,
            "do": wish.kind,
            "seconds": wish.seconds,
            "until_ms": to_ms(wish.asked_at + WISH_LIVES),
        }
    ).encode()
    return {
        "body": base64.b64encode(body).decode(),
        "signature": base64.b64encode(wish_key().sign(WISH_DOMAIN + body)).decode(),
    }


def note(key: MachineKey, said: dict[str, Any], at_ms: int) -> None:
    """Keep what the agent says of itself. An older request than the last one, sent again by somebody, changes nothing.

    `at_ms` is the request's stamp. An agent that knows how wrong its clock is says so, and stamps by the server's.
    """
    at, told_ms = now(), said.pop("clock_ahead_ms", None)
    skew_ms: int = at_ms - to_ms(at) if told_ms is None else told_ms
    stamp_ms = at_ms if told_ms is not None or abs(skew_ms) <= NEAR_MS else to_ms(at)
    with transaction.atomic():
        before = AgentState.objects.select_for_update().filter(machine=key.machine).first()
        if before is not None and stamp_ms <= to_ms(before.at):
            return
        AgentState.objects.update_or_create(
            machine=key.machine, defaults={**said, "at": from_ms(stamp_ms), "keyid": key.keyid, "skew_ms": skew_ms}
        )
        answered = AgentWish.objects.filter(machine=key.machine, pk=said.get("obeyed", 0), answered_at=None)
        answered.update(answer=said.get("answer", "")[:200], answered_at=at)


# What is said of an agent and of a machine's key, translated where it is shown.
WORDS = (
    "never reported", "not installed yet", "offline", "reporting", "starting", "running", "paused", "needs attention",
    "in use", "being replaced", "replaced", "revoked",
)  # fmt: skip


def agent_word(machine: Machine, silent_after: timedelta = timedelta(minutes=5)) -> str:
    """The agent's state in a word, for people."""
    state = AgentState.objects.filter(machine=machine).first()
    if state is None:
        return "never reported" if machine.last_seen_ms else "not installed yet"
    if now() - state.at > silent_after and now() - from_ms(machine.last_seen_ms) > silent_after:
        return "offline"
    return "reporting" if state.state == "running" else state.state
