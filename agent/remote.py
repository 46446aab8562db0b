"""Once a minute an enrolled agent says how it is, and hears how far it is stored and what people ask of it.

It does what is asked only if the server has signed it, for this machine, in time and for the first time, and only within what
its own user allows (`obey`, `obey_interval`). What its user has paused stays paused.
"""

import base64
import json
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from agent.config import Config
from agent.seal import SealingKey
from agent.server import Server, ServerProblem
from agent.spool import Spool

WISH_DOMAIN = b"corehour.wish.1\n"
PATH = "/api/v1/agent/sync/"
REFUSED = 401

log = logging.getLogger("agent")


class Agent(Protocol):
    """What a wish may do to the agent."""

    interval: int

    def pause(self, paused: bool, by: str = "user") -> None: ...
    def set_interval(self, seconds: int) -> None: ...
    def snapshot(self) -> dict[str, Any]: ...
    def seal_to(self, key: SealingKey | None) -> None: ...
    def key_judged(self, refused: str | None) -> None: ...


def told(server: Server, stream: str, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the server how far it has a stream, and say how this agent is. Raise ServerProblem."""
    said = server.post(PATH, {"stream": stream, **({"state": state} if state else {})})
    if not isinstance(said, dict):
        raise ServerProblem(f"{server.address} answers, but not as a server of Corehour does")
    return said


class NotObeyed(Exception):
    """The text says why; it is what the person who asked will read."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked, as signed by the server."""

    number: int
    do: str
    seconds: int

    @classmethod
    def read(cls, sent: Any, server_key: bytes, machine: str, now_ms: int) -> "Wish":
        """Raise NotObeyed for one that is not the server's, not for this machine, or too late."""
        body = _verified(sent, server_key)
        try:
            said = json.loads(body)
            wish, meant, until_ms = (
                cls(int(said["number"]), str(said["do"]), int(said["seconds"])),
                said["machine"],
                said["until_ms"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise NotObeyed("the wish cannot be read by this version of the agent") from error
        if meant != machine:
            raise NotObeyed(f"the wish is for {meant}, not for {machine}")
        if now_ms > until_ms:
            raise NotObeyed("the wish came too late")
        return wish


def _verified(sent: Any, server_key: bytes) -> bytes:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        body, signature = (base64.b64decode(sent[name], validate=True) for name in ("body", "signature"))
        Ed25519PublicKey.from_public_bytes(server_key).verify(signature, WISH_DOMAIN + body)
    except (InvalidSignature, ValueError, KeyError, TypeError) as error:
        raise NotObeyed("the wish is not signed by the server that this machine was enrolled at") from error
    return body


class Remote:
    """A source of watermarks (agent.watermark) that also reports and obeys."""

    def __init__(
        self,
        server: Server,
        agent: Agent,
        spool: Spool,
        config: Config,
        server_key: bytes,
    ) -> None:
        self.server = server
        self.agent = agent
        self.spool = spool
        self.config = config
        self.server_key = server_key

    def __call__(self, machine: str, stream: str) -> int | None:
        try:
            said = told(self.server, stream, self._state())
        except ServerProblem as problem:
            if problem.status == REFUSED:
                self.agent.key_judged(str(problem))
            log.info("no answer from the server: %s", problem)
            return None
        self.agent.key_judged(None)
        self.agent.seal_to(SealingKey.of(said.get("sealing_key")))
        if said.get("wish"):
            self._consider(said["wish"])
        watermark = said.get("watermark")
        return watermark if isinstance(watermark, int) and watermark >= 0 else None

    def _state(self) -> dict[str, Any]:
        snapshot = self.agent.snapshot()
        return {
            "version": snapshot["version"],
            "state": snapshot["state"],
            "mode": snapshot["mode"] if snapshot["state"] != "paused" else f"paused by {self._paused_by()}",
            "interval_s": self.agent.interval,
            "waiting": snapshot["waiting"],
            **({"clock_ahead_ms": snapshot["clock_ahead_ms"]} if snapshot["clock_ahead_ms"] else {}),
            "obeyed": int(self.spool.recall("wish") or 0),
            "answer": self.spool.recall("wish_answer") or "",
        }

    def _paused_by(self) -> str:
        return "the portal" if self.spool.recall("paused_by") == "portal" else "its user"

    def _consider(self, sent: Any) -> None:
        """Deal with a wish once: done or not, its number is remembered with the answer, which goes along with the next report."""
        try:
            wish = Wish.read(sent, self.server_key, self.config.machine, self.server.time.wall_ms())
        except NotObeyed as reason:
            log.error("somebody asks something of this agent, but %s", reason)
            return
        if wish.number <= int(self.spool.recall("wish") or 0):
            return
        try:
            answer = self._obey(wish)
        except NotObeyed as reason:
            answer = str(reason)
        log.warning("the portal asks to %s: %s", wish.do, answer)
        self.spool.remember("wish_answer", answer[:200])
        self.spool.remember("wish", str(wish.number))

    def _obey(self, wish: Wish) -> str:
        if wish.do not in self.config.obey:
            raise NotObeyed("this machine's user does not allow it")
        if wish.do == "interval":
            if self.config.obey_interval is None:
                raise NotObeyed("this machine's user allows no other interval")
            low, high = self.config.obey_interval
            if not low <= wish.seconds <= high:
                raise NotObeyed(f"this machine's user allows intervals of {low} to {high} seconds")
            self.agent.set_interval(wish.seconds)
            return f"done: one sample in {wish.seconds} s"
        if wish.do == "resume" and self.spool.recall("paused_by") == "user":
            raise NotObeyed("this machine's user paused it, and only they resume it")
        self.agent.pause(wish.do == "pause", by="portal")
        return "done"
