"""Who this machine is: the key that it signs with, the server's keys it trusts, and how a message is dressed before it leaves."""

import base64
import binascii
import json

from agent import enrolment, keys
from agent.config import Config
from agent.keys import KeyProblem
from agent.seal import SealingKey
from agent.spool import Spool
from agent.wire import Message


class Identity:
    """Read once at the start; the sealing key may be told anew at any time."""

    def __init__(self, config: Config, spool: Spool) -> None:
        told = enrolment.told(config)
        self.key = keys.load(config.key_path) if config.key_path.exists() else None
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
