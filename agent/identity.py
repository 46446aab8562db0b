"""Who this machine is: the key that it signs with, the server's keys it trusts, and how a message is dressed before it leaves."""

import base64
import binascii
import json
import logging
from dataclasses import dataclass

from agent import enrolment, keys
from agent.config import Config
from agent.keys import KeyProblem
from agent.seal import SealingKey
from agent.spool import Spool
from agent.wire import Message

REMEDY = "What it sends is not counted; it waits on the server. Enrol it again: corehour-agent enrol URL TOKEN"

log = logging.getLogger("agent")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server refuses the machine's key: what it said, and when it said so first."""

    reason: str
    since_ms: int

    def words(self) -> str:
        return f"the server refuses this machine's key: {self.reason} {REMEDY}"


class Identity:
    """Read once at the start; the sealing key may be told anew at any time."""

    def __init__(self, config: Config, spool: Spool) -> None:
        told = enrolment.told(config.folder)
        self.key = keys.load(config.key_path)
        self.refused: Refusal | None = None
        self.server_key = _bytes(told.get("server_key"))
        self._must_seal = config.seal
        self._spool = spool
        remembered = spool.recall("sealing_key")
        self.sealing = SealingKey.of(_told(remembered) if remembered else told.get("sealing_key"))

    def dressed(self, topic: str, message: Message) -> Message:
        """The message as it goes out: sealed if this machine's user wants that, then signed if it has a key. Raise KeyProblem."""
        if self._must_seal:
            if self.sealing is None:
                raise KeyProblem("usage is to be sealed, but the server has told no key for it: nothing is sent until it does")
            message = self.sealing.sealed(topic, message)
        return self.key.signed(topic, message) if self.key else message

    def judged(self, refused: str | None, now_ms: int) -> None:
        """What the server says of the key: None when it takes it. A refusal is logged once, with what to do about it."""
        if refused is None:
            if self.refused is not None:
                log.warning("the server takes this machine's key again")
            self.refused = None
        elif self.refused is None:
            self.refused = Refusal(refused, now_ms)
            log.warning(self.refused.words())

    def seal_to(self, key: SealingKey | None) -> None:
        if key is not None and key != self.sealing:
            self.sealing = key
            self._spool.remember("sealing_key", json.dumps({"id": key.id, "public": base64.b64encode(key.public).decode()}))


def _told(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _bytes(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True) if text else b""
    except (ValueError, binascii.Error):
        return b""
